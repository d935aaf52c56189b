-- Lets key material stay that was written to vanish, if it is complete: the device comes last.
--
-- KEYS  1      the fence (hash)
--       2      the meta data (hash)
--       3, 4   sets whose members, behind a prefix, are keys with the same hash tag
--       5..    the other keys
-- ARGV  1      epoch of the caller
--       2, 3   the prefixes for the members of KEYS 3 and 4
--
-- Replies: 'KEPT'   nothing of it expires any more
--          'GONE'   there is no device; nothing was changed
--          'STALE'  another epoch holds the fence; nothing was changed

if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'STALE' end
if redis.call('HEXISTS', KEYS[2], 'device') == 0 then return 'GONE' end
for i = 3, 4 do
  for _, member in ipairs(redis.call('SMEMBERS', KEYS[i])) do
    redis.call('PERSIST', ARGV[i - 1] .. member)
  end
end
for i = 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
return 'KEPT'
