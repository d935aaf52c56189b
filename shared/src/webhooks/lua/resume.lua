-- Makes a webhook active again, or skips what waits for it. Its owner, if it has one, loses it: the
-- next one begins from what is written here.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 from: stopped | now
-- Replies  {resumed} | {not_found}
local id = ARGV[1]
if redis.call('HEXISTS', K.webhooks(), id) == 0 then return { 'not_found' } end
if ARGV[2] == 'now' then
  release_held(id)
  redis.call('HSET', K.webhook(id), 'cursor', last_event())
end
redis.call('HSET', K.webhook(id), 'active', 1, 'openUntil', 0, 'trips', 0, 'failures', 0, 'owner', '')
redis.call('HINCRBY', K.webhook(id), 'epoch', 1)
redis.call('HDEL', K.webhook(id), 'disabledReason', 'disabledAt', 'failingSince', 'failing')
return { 'resumed' }
