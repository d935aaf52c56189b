-- Replaces rows of one session's key material by their sealed form, each only where it is still what
-- it was: no owner's write is undone.
--
-- KEYS  1  the fence (hash)
--       2  the hash of the rows
-- ARGV  1  the data key as the fence has it: the rows are sealed by it
--       2  '1' when no row in clear is left, else ''
--       3..  for each row: field, what it was, what it becomes
--
-- Replies: {'APPLIED', number of rows replaced}
--          {'REPLACED'}  the fence has another data key; nothing was changed

if redis.call('HGET', KEYS[1], 'key') ~= ARGV[1] then return {'REPLACED'} end
local count = 0
for i = 3, #ARGV, 3 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
    count = count + 1
  end
end
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'sealed', '1') end
return {'APPLIED', count}
