-- Queues deliveries once more. Each has a chat of its own, so that it waits for nothing and nothing
-- waits for it.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 most that may be held  then the deliveries
-- Replies  {replayed, number} | {not_found} | {full}
local id, now = ARGV[1], webhook_now()
if redis.call('HEXISTS', K.webhooks(), id) == 0 then return { 'not_found' } end
if redis.call('ZCARD', K.webhook_held(id)) + #ARGV - 2 > tonumber(ARGV[2]) then return { 'full' } end
local queued = 0
for i = 3, #ARGV do
  local chat = '!' .. ARGV[i]
  if redis.call('ZADD', K.webhook_held(id), 'NX', now, chat) == 1 then
    redis.call('RPUSH', K.webhook_chat(id, chat), ARGV[i])
    redis.call('ZREM', K.webhook_by(id, 'dead'), ARGV[i])
    redis.call('ZREM', K.webhook_by(id, 'delivered'), ARGV[i])
    redis.call('ZADD', K.webhook_by(id, 'pending'), 0, ARGV[i])
    queued = queued + 1
  end
end
return { 'replayed', queued }
