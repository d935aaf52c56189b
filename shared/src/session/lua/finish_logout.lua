-- A logout is done: the lane was abandoned and the keys are erased. A start that was asked for
-- meanwhile holds.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 reason
-- Replies  {stale} | {finished}
local now, sid = (clock(ARGV[1])), ARGV[2]
local key = K.session(sid)
if not owns(sid, ARGV[3]) then return { 'stale' } end
redis.call('HSET', key, 'logout', '', 'waJid', '', 'waLid', '', 'ending', '')
set_status(sid, now, 'logged_out', ARGV[4])
if redis.call('HGET', key, 'desired') == 'running' then set_status(sid, now, 'starting', '') end
return { 'finished' }
