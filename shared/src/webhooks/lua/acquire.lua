-- Makes a worker the owner of a webhook.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 worker  3 its former owner, known to be gone ('' = it had none)
-- Replies  {owned, epoch, definition, {fields of the record}, {chat, due, …: what is held}}
--          {held, owner} | {inactive} | {gone}
local id = ARGV[1]
local definition = redis.call('HGET', K.webhooks(), id)
if not definition then return { 'gone' } end
local v = redis.call('HMGET', K.webhook(id), 'owner', 'active')
local owner = v[1] or ''
if owner ~= '' and owner ~= ARGV[2] and owner ~= ARGV[3] then return { 'held', owner } end
if v[2] ~= '1' then return { 'inactive' } end
redis.call('HSET', K.webhook(id), 'owner', ARGV[2])
local epoch = redis.call('HINCRBY', K.webhook(id), 'epoch', 1)
return {
  'owned', tostring(epoch), definition, redis.call('HGETALL', K.webhook(id)),
  redis.call('ZRANGE', K.webhook_held(id), 0, -1, 'WITHSCORES'),
}
