-- What a user wants of a session. Its owner, told over the control channel, sees to it.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 wish: start | stop | restart | logout | delete
-- Replies  {not_found} | {wished}
local now, sid, desired_change = (clock(ARGV[1])), ARGV[2], ARGV[3]
local key = K.session(sid)
local record = redis.call('HMGET', key, 'desired', 'worker', 'status', 'waJid')
if not record[1] then return { 'not_found' } end
if record[1] == 'deleted' then
  -- Who asks again whether it is deleted is told so, and it is put before the workers again.
  return { desired_change == 'delete' and 'wished' or 'not_found' }
end
redis.call('HINCRBY', key, 'desiredChanges', 1)
redis.call('HINCRBY', key, 'changes', 1)
local owned = record[2] and record[2] ~= ''
if desired_change == 'start' or desired_change == 'restart' then
  redis.call('HSET', key, 'desired', 'running')
  -- One that rests is not to wait for the end of its rest.
  if desired_change == 'restart' or record[3] == 'failed' then redis.call('HINCRBY', key, 'restarts', 1) end
  if record[3] ~= 'working' and record[3] ~= 'scan_qr_code' or desired_change == 'restart' then
    set_status(sid, now, 'starting', '')
  end
elseif desired_change == 'stop' then
  redis.call('HSET', key, 'desired', 'stopped')
  if not owned and record[3] ~= 'logged_out' then set_status(sid, now, 'stopped', '') end
elseif desired_change == 'logout' then
  if not owned and (record[4] or '') == '' then
    redis.call('HSET', key, 'desired', 'stopped')
    set_status(sid, now, 'logged_out', '')
  else
    redis.call('HSET', key, 'desired', 'stopped', 'logout', '1')
  end
elseif desired_change == 'delete' then
  redis.call('HSET', key, 'desired', 'deleted')
  redis.call('SREM', K.sessions(), sid)
end
redis.call('HSET', key, 'updatedAt', now)
return { 'wished' }
