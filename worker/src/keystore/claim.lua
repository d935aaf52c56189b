-- Raises the fence of one session's key material to a new owner's epoch. It never goes back.
--
-- KEYS  1  the fence (hash)
-- ARGV  1  epoch of the new owner
--       2  a new data key, sealed, for key material that has none yet
--
-- Replies: {'CLAIMED', life, term, data key, sealed}
--                                   the fence has this epoch; with life and term its writes begin.
--                                   sealed: 1 when no row of an earlier version lies in clear
--          {'STALE'}                a later epoch holds it; nothing was changed

local fence = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'term', 'erased')
local stored = tonumber(fence[1] or fence[4] or '')
if stored and stored > tonumber(ARGV[1]) then
  if fence[1] then redis.call('HINCRBY', KEYS[1], 'refused', 1) end
  return {'STALE'}
end
local life = fence[2] or '0'
local sealed = redis.call('HMGET', KEYS[1], 'key', 'sealed')
if not sealed[1] then
  -- Somebody owned it before data keys were made: its rows lie in clear.
  sealed = {ARGV[2], fence[1] and '0' or '1'}
  redis.call('HSET', KEYS[1], 'key', sealed[1], 'sealed', sealed[2])
end
if fence[1] == ARGV[1] then return {'CLAIMED', life, fence[3], sealed[1], sealed[2]} end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'life', life, 'term', 0)
redis.call('HDEL', KEYS[1], 'erased')
redis.call('PERSIST', KEYS[1])
return {'CLAIMED', life, '0', sealed[1], sealed[2]}
