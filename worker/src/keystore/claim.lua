-- Raises the fence of one session's key material to a new owner's epoch. It never goes back.
--
-- KEYS  1  the fence (hash)
-- ARGV  1  epoch of the new owner
--
-- Replies: {'CLAIMED', life, term}  the fence has this epoch; with life and term its writes begin
--          {'STALE'}                a later epoch holds it; nothing was changed

local fence = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'term', 'erased')
local stored = tonumber(fence[1] or fence[4] or '')
if stored and stored > tonumber(ARGV[1]) then
  if fence[1] then redis.call('HINCRBY', KEYS[1], 'refused', 1) end
  return {'STALE'}
end
local life = fence[2] or '0'
if fence[1] == ARGV[1] then return {'CLAIMED', life, fence[3]} end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'life', life, 'term', 0)
redis.call('HDEL', KEYS[1], 'erased')
redis.call('PERSIST', KEYS[1])
return {'CLAIMED', life, '0'}
