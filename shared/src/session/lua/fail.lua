-- A session can not go on by itself: it stops, unless a user asked for something since or it is to
-- be deleted.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 reason  5 how many desired changes the owner has seen
-- Replies  {stale} | {failed}
local now, sid = (clock(ARGV[1])), ARGV[2]
local key = K.session(sid)
if not owns(sid, ARGV[3]) then return { 'stale' } end
set_status(sid, now, 'failed', ARGV[4])
local record = redis.call('HMGET', key, 'desiredChanges', 'desired')
if (record[1] or '0') == ARGV[5] and record[2] ~= 'deleted' then
  redis.call('HSET', key, 'desired', 'stopped')
end
return { 'failed' }
