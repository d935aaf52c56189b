-- Deletes all key material of one session and seals its fence, so that a write still on its way
-- brings nothing back. Claiming opens the fence again, for a new life.
--
-- KEYS  1      the fence (hash)
--       2, 3   sets whose members, behind a prefix, are keys with the same hash tag
--       4..    the other keys
-- ARGV  1      epoch of the caller
--       2      life of the key material the caller claimed
--       3, 4   the prefixes for the members of KEYS 2 and 3
--       5      seconds the fence stays, 0 for ever
--
-- Replies: {'APPLIED'}  everything is gone
--          {'ERASED'}   it was gone before; nothing was changed
--          {'STALE'}    another epoch holds the fence; nothing was changed

local fence = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'erased')
if fence[1] ~= ARGV[1] then
  if fence[1] then redis.call('HINCRBY', KEYS[1], 'refused', 1) end
  if fence[1] or fence[3] ~= ARGV[1] then return {'STALE'} end
elseif fence[2] ~= ARGV[2] then
  return {'ERASED'}
else
  for i = 2, 3 do
    for _, member in ipairs(redis.call('SMEMBERS', KEYS[i])) do
      redis.call('UNLINK', ARGV[i + 1] .. member)
    end
  end
  redis.call('UNLINK', unpack(KEYS, 2))
  redis.call('HSET', KEYS[1], 'erased', ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'life', 1)
  redis.call('HDEL', KEYS[1], 'epoch', 'term', 'key', 'sealed')
end
if ARGV[5] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[5]) end
return {'APPLIED'}
