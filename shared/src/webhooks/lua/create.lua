-- Creates a webhook. What it is told begins with the next event of the organization.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 definition (JSON)  3 most webhooks of an organization
--       4 sha256 of the idempotency key ('' = none)  5 fingerprint of the request
--       6 idempotency retention (ms)  7 active: 1 | 0
-- Replies  {created} | {replayed, webhook} | {key_reused, id} | {limit}
local id, idem = ARGV[1], ARGV[4]
if idem ~= '' then
  local known = redis.call('GET', K.webhook_made(idem))
  local print, made = string.match(known or '', '^(%S+) (%S+)$')
  if made and print ~= ARGV[5] then return { 'key_reused', made } end
  if made and redis.call('HEXISTS', K.webhooks(), made) == 1 then return { 'replayed', made } end
end
if redis.call('HEXISTS', K.webhooks(), id) == 1 then return { 'created' } end
if redis.call('HLEN', K.webhooks()) >= tonumber(ARGV[3]) then return { 'limit' } end
redis.call('HSET', K.webhooks(), id, ARGV[2])
redis.call('HSET', K.webhook(id), 'active', ARGV[7], 'epoch', 0, 'owner', '', 'cursor', last_event())
if idem ~= '' then
  redis.call('SET', K.webhook_made(idem), ARGV[5] .. ' ' .. id, 'PX', ARGV[6])
end
return { 'created' }
