-- Notes that a session's device is unlinked, before anything that belongs to it is given up: whoever
-- owns the session next finishes it, however early this owner dies.
-- KEYS  1 partition root
-- ARGV  1 session  2 epoch  3 reason  4 how many desired changes the owner has seen
-- Replies  {stale} | {begun}
local key = K.session(ARGV[1])
if not owns(ARGV[1], ARGV[2]) then return { 'stale' } end
local record = redis.call('HMGET', key, 'ending', 'logout', 'desiredChanges', 'desired')
if (record[1] or '') == '' then
  redis.call('HSET', key, 'ending', ARGV[3])
  -- A logout that a user asked for has said itself what is desired. One that comes from WhatsApp stops
  -- the session, unless a user asked for something since. What is to be deleted stays so: the next
  -- owner of one whose device is unlinked already sees nothing but that.
  if record[2] ~= '1' and record[4] ~= 'deleted' and (record[3] or '0') == ARGV[4] then
    redis.call('HSET', key, 'desired', 'stopped')
  end
end
return { 'begun' }
