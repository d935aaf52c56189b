-- Settles deliveries of a webhook in one step with what they change about it.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 epoch  3 cursor ('' = as it is)
--       4, 5 how many delivered ones and dead letters to keep
--       6 dead letters before this delivery id are taken away
--       7 which batch this is; one that was settled already changes nothing
--       then five for each step, in order:
--         done    delivery  record (JSON)  chat it was held in ('' = none)  ''
--         dead    delivery  record (JSON)  chat it was held in ('' = none)  ''
--         retry   delivery  record (JSON)  chat  due (ms)        the head of a chat that is held
--         behind  delivery  ''             chat  ''              waits behind such a head
--         field   name      value          ''    ''              '' = takes the field away
--         count   name      how much more  ''    ''
--         event   kind      payload (JSON) ''    ''
--         disable reason    ''             ''    ''
-- Replies  {stale} or {settled, {chats that are held no more}}
local id = ARGV[1]
if not owns_webhook(id, ARGV[2]) then return { 'stale' } end
local record, log, held = K.webhook(id), K.webhook_log(id), K.webhook_held(id)
if redis.call('HGET', record, 'batch') == ARGV[7] then return { 'settled', {} } end
redis.call('HSET', record, 'batch', ARGV[7])
local now = webhook_now()
local free = {}

-- The head of a held chat has ended: the next one is due at once.
local function advance(chat, delivery)
  local list = K.webhook_chat(id, chat)
  if redis.call('LINDEX', list, 0) == delivery then redis.call('LPOP', list) end
  if redis.call('EXISTS', list) == 1 then
    redis.call('ZADD', held, now, chat)
  else
    redis.call('ZREM', held, chat)
    free[#free + 1] = chat
  end
end

local function file(delivery, text, status)
  redis.call('HSET', log, delivery, text)
  for _, other in ipairs({ 'delivered', 'pending', 'dead' }) do
    if other == status then
      redis.call('ZADD', K.webhook_by(id, other), 0, delivery)
    elseif status ~= 'delivered' or other ~= 'delivered' then
      redis.call('ZREM', K.webhook_by(id, other), delivery)
    end
  end
end

local step = {}
step['done'] = function(delivery, text, chat)
  if chat == '' then
    redis.call('HSET', log, delivery, text)
    redis.call('ZADD', K.webhook_by(id, 'delivered'), 0, delivery)
    return
  end
  file(delivery, text, 'delivered')
  advance(chat, delivery)
end
step['dead'] = function(delivery, text, chat)
  file(delivery, text, 'dead')
  if chat ~= '' then advance(chat, delivery) end
end
step['retry'] = function(delivery, text, chat, due)
  file(delivery, text, 'pending')
  local list = K.webhook_chat(id, chat)
  if redis.call('EXISTS', list) == 0 then redis.call('RPUSH', list, delivery) end
  redis.call('ZADD', held, due, chat)
end
step['behind'] = function(delivery, _, chat)
  redis.call('RPUSH', K.webhook_chat(id, chat), delivery)
  redis.call('ZADD', held, 'NX', now, chat)
end
step['field'] = function(name, value)
  if value == '' then redis.call('HDEL', record, name) else redis.call('HSET', record, name, value) end
end
step['count'] = function(name, more) redis.call('HINCRBY', record, name, more) end
step['event'] = function(kind, payload) emit(kind, '', now, payload) end
step['disable'] = function(reason)
  redis.call('HSET', record, 'active', 0, 'disabledReason', reason, 'disabledAt', now)
end

for i = 8, #ARGV, 5 do
  step[ARGV[i]](ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
if ARGV[3] ~= '' then redis.call('HSET', record, 'cursor', ARGV[3]) end
keep(id, 'delivered', tonumber(ARGV[4]))
keep(id, 'dead', tonumber(ARGV[5]))
local old = redis.call('ZRANGEBYLEX', K.webhook_by(id, 'dead'), '-', '(' .. ARGV[6], 'LIMIT', 0, 100)
for _, delivery in ipairs(old) do
  redis.call('ZREM', K.webhook_by(id, 'dead'), delivery)
  redis.call('HDEL', log, delivery)
end
return { 'settled', free }
