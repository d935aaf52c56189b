-- Deletes a webhook with everything that is known of it.
-- KEYS  1 partition root
-- ARGV  1 webhook
-- Replies  {deleted} | {not_found}
local id = ARGV[1]
if redis.call('HDEL', K.webhooks(), id) == 0 then return { 'not_found' } end
release_held(id)
redis.call('DEL', K.webhook(id), K.webhook_log(id), K.webhook_by(id, 'delivered'),
  K.webhook_by(id, 'dead'))
return { 'deleted' }
