-- Changes a webhook's definition, where it still is what the caller read.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 the definition that was read  3 the new one
--       4 '1' = active from now on, '0' = not, '' = as it is
-- Replies  {updated} | {changed} | {not_found}
local id = ARGV[1]
local present = redis.call('HGET', K.webhooks(), id)
if not present then return { 'not_found' } end
if present ~= ARGV[2] then return { 'changed' } end
redis.call('HSET', K.webhooks(), id, ARGV[3])
if ARGV[4] == '0' then
  redis.call('HSET', K.webhook(id), 'active', 0, 'disabledReason', 'by_request', 'disabledAt',
    webhook_now())
elseif ARGV[4] == '1' and redis.call('HGET', K.webhook(id), 'active') ~= '1' then
  redis.call('HSET', K.webhook(id), 'active', 1, 'openUntil', 0, 'trips', 0, 'failures', 0)
  redis.call('HDEL', K.webhook(id), 'disabledReason', 'disabledAt', 'failingSince', 'failing')
end
return { 'updated' }
