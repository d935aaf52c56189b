-- What is in a lane, for those who watch over it. Changes nothing.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session
-- Replies  {depth, urgent, in flight, chats whose head waits for a retry, scheduled,
--   acceptance (ms) of the oldest head of a chat that waits (0 = none), accepted in the last minute,
--   tatMinute, tatHour (µs), paused until (ms, 0 = not paused), now (ms),
--   dead letters}
local now, sid = tonumber((clock(ARGV[1]))), ARGV[2]
load_lane(sid)
local chats = redis.call('ZRANGE', K.delayed(sid), 0, 9)
for _, range in ipairs({ { '-inf', '(0' }, { 0, '+inf' } }) do
  local first = redis.call('ZRANGEBYSCORE', K.ready(sid), range[1], range[2], 'LIMIT', 0, 1)
  chats[#chats + 1] = first[1]
end
local oldest = 0
for _, chat in ipairs(chats) do
  local head = redis.call('LINDEX', K.chat(sid, chat), 0)
  local entry = head and load_entry(string.match(head, ':(.+)$'))
  if entry and RANK[entry.status] < RANK.sent then
    local created = tonumber(entry.created)
    if oldest == 0 or created < oldest then oldest = created end
  end
end
return {
  L.depth, L.urgent, redis.call('HLEN', K.flying(sid)), redis.call('ZCARD', K.delayed(sid)),
  redis.call('ZCARD', K.scheduled(sid)), text(oldest),
  redis.call('ZCOUNT', K.outbox_index(sid), '(' .. text(now - 60000), '+inf'),
  text(L.tat.minute), text(L.tat.hour), text(L.paused > now and L.paused or 0), text(now),
  redis.call('ZCARD', K.dead(sid)),
}
