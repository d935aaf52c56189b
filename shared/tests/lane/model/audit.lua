-- What Redis holds of a lane, as text.
-- KEYS  1 partition root   ARGV  1 session  2 number of chats  then chats, their names, entries
local out = {}
local lane = K.lane(ARGV[1])
local function say(...)
  out[#out + 1] = table.concat({ ... }, ' ')
end
local n = tonumber(ARGV[2])
local counts = redis.call('HMGET', lane, 'depth', 'urgent')
say('depth', counts[1] or '0', 'urgent', counts[2] or '0')
local flying = redis.call('HKEYS', K.flying(ARGV[1]))
table.sort(flying)
say('flying', table.concat(flying, ' '))
say('expiring', table.concat(redis.call('ZRANGE', K.expiring(ARGV[1]), 0, -1, 'WITHSCORES'), ' '))
say('scheduled', table.concat(redis.call('ZRANGE', K.scheduled(ARGV[1]), 0, -1, 'WITHSCORES'), ' '))
local known = redis.call('ZRANGE', K.known(ARGV[1]), 0, -1)
table.sort(known)
say('known', table.concat(known, ' '))
local function number(score)
  return score and string.format('%.0f', tonumber(score)) or ''
end
for i = 3, 2 + n do
  local chat = ARGV[i]
  say('chat', ARGV[i + n], 'ready', number(redis.call('ZSCORE', K.ready(ARGV[1]), chat)),
    'delayed', number(redis.call('ZSCORE', K.delayed(ARGV[1]), chat)),
    table.concat(redis.call('LRANGE', K.chat(ARGV[1], chat), 0, -1), ' '))
end
for i = 3 + 2 * n, #ARGV do
  local v = redis.call('HMGET', K.outbox(ARGV[i]), 'hist', 'attempts')
  local hist = string.gsub(v[1] or '-', ':%d+', '')
  say(ARGV[i], string.match(hist, '%a+$') or '-', v[2] or '0', hist,
    redis.call('HGET', K.suspects(ARGV[1]), ARGV[i]) or '')
end
local due = redis.call('HGET', lane, 'due')
return { table.concat(out, '\n') .. '\n', due or '' }
