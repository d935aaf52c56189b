-- Makes a worker the owner of a session whose former owner is known to be gone.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 worker  4 the owner that is known to be gone ('' = none)
-- Replies
--   {acquired, epoch}
--   {held, owner}     somebody else was faster; who finds its own name asks for what it was given
--                     in an answer that got lost
--   {unwanted}        it should not run; it has no owner now
--   {gone}            there is no such session
local now, sid, worker = (clock(ARGV[1])), ARGV[2], ARGV[3]
local key = K.session(sid)
local record = redis.call('HMGET', key, 'desired', 'worker', 'status', 'logout', 'ending')
if not record[1] then return { 'gone' } end
local owner = record[2] or ''
if owner ~= ARGV[4] and owner ~= worker then return { 'held', owner } end
if record[1] == 'stopped' and record[4] ~= '1' and (record[5] or '') == '' then
  if owner ~= '' then redis.call('HINCRBY', key, 'epoch', 1) end
  redis.call('HSET', key, 'worker', '')
  if record[3] ~= 'logged_out' and record[3] ~= 'failed' then set_status(sid, now, 'stopped', '') end
  return { 'unwanted' }
end
local epoch = redis.call('HINCRBY', key, 'epoch', 1)
redis.call('HSET', key, 'worker', worker, 'updatedAt', now)
return { 'acquired', epoch }
