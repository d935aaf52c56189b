-- Accepts one send: idempotency record, outbox entry, place in the lane and event in one step.
-- Repeating it with the same outbox id changes nothing, so a client library may.
-- KEYS  1 partition root
-- ARGV  1 now (ms)        2 session        3 outbox id     4 WhatsApp message id
--       5 chat JID        6 type           7 body (JSON)   8 mode: sync | async
--       9 expires at (ms) 10 send at (ms, 0 = now)         11 request id
--       12 sha256 of the idempotency key ('' = none)       13 fingerprint of the request
--       14 idempotency retention (ms)    15 waiter: instance/token ('' = does not wait)
--       16 greatest depth of a lane      17 urgent: 1 | 0
--       18 message id it quotes ('' = none)
--       19 its record for the message index ('' = none: an operation)
--       20 what it changes about another message, once it is sent (JSON; '' = nothing)
-- Replies
--   {accepted, outbox id, WhatsApp message id, status, now}
--   {replayed, outbox id, WhatsApp message id, status, status time, mode, error JSON}
--   {key_reused, outbox id}
--   {session_not_found}
--   {not_connected, session status}
--   {paused, by: operator | gateway, until (ms, 0 = until told otherwise), reason}
--   {new_chats_held, until (ms)}
--   {rate_limited, window, retry after (ms)}
--   {lane_full, depth}
local now, sid, id, wa, chat = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local mode, idem, fingerprint, waiter = ARGV[8], ARGV[12], ARGV[13], ARGV[15]

local session = redis.call('HMGET', K.session(sid), 'status', 'worker', 'desired', 'ratePerMin',
  'ratePerHour')
if not session[1] or session[3] == 'deleted' then return { 'session_not_found' } end

if idem ~= '' then
  local known = redis.call('GET', K.idempotency(idem))
  local print, out = string.match(known or '', '^(%S+) (%S+)$')
  if out and print ~= fingerprint then return { 'key_reused', out } end
  if out then
    local v = redis.call('HMGET', K.outbox(out), 'fix', 'hist', 'error', 'waiters')
    local old = entry_of(out, v[1], v[2], nil, v[4])
    if old and out == id then return { 'accepted', id, wa, old.status, now } end
    -- An entry that retention has taken away leaves its key free again.
    if old then
      if waiter ~= '' and RANK[old.status] < RANK.sent then
        redis.call('HSET', K.outbox(out), 'waiters', old.waiters .. ' ' .. waiter)
      end
      return { 'replayed', out, old.wa, old.status, old.since, old.mode, v[3] or '' }
    end
  end
end

load_lane(sid)
if mode == 'sync' then
  if session[1] ~= 'working' then return { 'not_connected', session[1] } end
  if L.paused > tonumber(now) then
    local v = redis.call('HMGET', K.lane(sid), 'stoppedUntil', 'stopReason', 'pauseReason')
    local stopped = tonumber(v[1] or 0)
    if stopped > tonumber(now) then
      return { 'paused', 'operator', stopped >= NEVER and '0' or text(stopped), v[2] or '' }
    end
    return { 'paused', 'gateway', text(L.paused), v[3] or '' }
  end
  if L.hold > tonumber(now) and is_person(chat)
    and not redis.call('ZSCORE', K.known(sid), chat) then
    return { 'new_chats_held', text(L.hold) }
  end
  -- The worker's governor spends the budget; this only asks whether the budget would let this
  -- send go at once, after all urgent ones before it and what its own chat has waiting.
  local list = K.chat(sid, chat)
  local in_chat = redis.call('LLEN', list)
  if in_chat > 0 then
    in_chat = in_chat - tonumber(redis.call('HGET', K.urgent(sid), chat) or 0)
    local head = redis.call('LINDEX', list, 0)
    if redis.call('HEXISTS', K.flying(sid), string.match(head, ':(.+)$')) == 1 then
      in_chat = in_chat - 1
    end
  end
  local cells = L.urgent + math.max(in_chat, 0) + 1
  local tat = redis.call('HMGET', K.lane(sid), 'tatMinute', 'tatHour')
  local micros = tonumber(now) * 1000
  local function wait(rate, window, arrival)
    rate = tonumber(rate or 0)
    if rate == 0 then return 0 end
    local each = math.ceil(window / rate)
    return math.max(tonumber(arrival or 0), micros) + (cells - rate) * each - micros
  end
  local minute, hour = wait(session[4], 60e6, tat[1]), wait(session[5], 3600e6, tat[2])
  local longest, window = minute, 'minute'
  if hour > minute then longest, window = hour, 'hour' end
  if longest > 0 then return { 'rate_limited', window, text(math.ceil(longest / 1000)) } end
end
if L.depth >= tonumber(ARGV[16]) then return { 'lane_full', text(L.depth) } end

if redis.call('HSETNX', K.by_wa_id(sid), wa, id) == 0 then
  local known = load_entry(id)
  if not known then return redis.error_reply('the WhatsApp message id belongs to another send') end
  return { 'accepted', id, wa, known.status, now }
end

local scheduled = tonumber(ARGV[10]) > tonumber(now)
local entry = {
  id = id, session = sid, chat = chat, wa = wa, req = ARGV[11], seq = '0', status = 'queued',
  urgent = scheduled and '0' or ARGV[17],
}
if scheduled then
  entry.status = 'scheduled'
else
  L.seq = L.seq + 1
  put('seq', L.seq)
  entry.seq = text(L.seq)
end
local fix = table.concat({
  entry.seq, entry.urgent, sid, chat, wa, mode, ARGV[6], now, ARGV[9], ARGV[10], ARGV[11],
}, ' ')
local hist = entry.status .. ':' .. now
-- What is known of the quoted message becomes part of the body: every attempt quotes the same.
local body = ARGV[7]
if ARGV[18] ~= '' then
  local quoted = recall(sid, ARGV[18], chat) or recall(sid, ARGV[18], '')
  if quoted then body = string.sub(body, 1, -2) .. ',"quoted":' .. quoted .. '}' end
end
if ARGV[19] ~= '' then
  local page, begun = open_page(sid, now)
  remember(sid, page, begun, wa, ARGV[19])
end
if waiter == '' then
  redis.call('HSET', K.outbox(id), 'fix', fix, 'hist', hist, 'body', body)
else
  redis.call('HSET', K.outbox(id), 'fix', fix, 'hist', hist, 'body', body, 'waiters', waiter)
end
if ARGV[20] ~= '' then redis.call('HSET', K.outbox(id), 'amends', ARGV[20]) end
if idem ~= '' then
  redis.call('SET', K.idempotency(idem), fingerprint .. ' ' .. id, 'PX', ARGV[14])
end
redis.call('ZADD', K.expiring(sid), ARGV[9], id)
falls_due(tonumber(ARGV[9]))

-- The index gives up, two at a time, what retention has already taken, skipping what outlives it.
local index, skip = K.outbox_index(sid), L.skip
redis.call('ZADD', index, now, id .. ':' .. wa)
local old = redis.call('ZRANGEBYSCORE', index, '-inf', text(tonumber(now) - OUTBOX_RETENTION),
  'LIMIT', skip, 2)
for _, member in ipairs(old) do
  local old_id, old_wa = string.match(member, '^([^:]+):(.+)$')
  if redis.call('EXISTS', K.outbox(old_id)) == 0 then
    redis.call('ZREM', index, member)
    redis.call('HDEL', K.by_wa_id(sid), old_wa)
    redis.call('ZREM', K.dead(sid), old_id)
  else
    skip = skip + 1
  end
end
if #old < 2 then skip = 0 end
if skip ~= L.skip then put('skip', skip) end

count_waiting(entry, 1)
emit('message.status', sid, now, status_payload(entry, entry.status, now, ''))
if scheduled then
  redis.call('ZADD', K.scheduled(sid), ARGV[10], id)
  falls_due(tonumber(ARGV[10]))
else
  enqueue(entry)
end
save_and_wake(session[2] or '')
return { 'accepted', id, wa, entry.status, now }
