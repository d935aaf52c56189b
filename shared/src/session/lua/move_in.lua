-- Makes a session of a device that another program paired. Its keys are stored already.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 whether it runs ('1') or not  then fields and values
-- Replies
--   {exists}   there is a session of this id; nothing was changed
--   {created}
local now, sid = (clock(ARGV[1])), ARGV[2]
local key = K.session(sid)
if redis.call('EXISTS', key) == 1 then return { 'exists' } end
local running = ARGV[3] == '1'
for i = 4, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
redis.call('HSET', key, 'desired', running and 'running' or 'stopped', 'worker', '',
  'autoRead', '0', 'presenceTyping', '0', 'createdAt', now, 'updatedAt', now)
redis.call('SADD', K.sessions(), sid)
set_status(sid, now, running and 'starting' or 'stopped', '')
return { 'created' }
