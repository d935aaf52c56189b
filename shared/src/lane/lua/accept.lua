-- Accepts one send: idempotency record, outbox entry, place in the lane and event in one step.
-- Repeating it with the same outbox id changes nothing and answers the same, so a client library may.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)
--       2 what is asked (JSON, see lane/accept.rs `Ask`): id, depth, ttl, and where there is such:
--         expires, idem with print and keep, waiter, quotes, target, parts: {{WhatsApp message id,
--         record for the message index (JSON)}…}
--       3 the record (JSON, see send/record.rs), kept whole
--       4 its content (JSON)
--       5 its record for the message index ('' = none: an operation)
--       6 what it changes about another message, once it is sent (JSON; '' = nothing)
-- Replies
--   {accepted, outbox id, WhatsApp message id, status, now, number and LID of the person written to
--    ('' = not known)}
--   {replayed, outbox id, WhatsApp message id, status, status time, mode, error JSON, number, LID}
--   {key_reused, outbox id}
--   {session_not_found}
--   {logged_out, session status}  nobody is paired, so there is no account that it could belong to
--   {not_connected, session status}
--   {quote_not_seen, why: another_chat | not_sent_by_this_account | revoked | not_sent}
--   {target_not_sent, status}  what it is about has failed or was cancelled
--   {not_sent_yet, status, send at (ms)}  a synchronous operation on what is scheduled
--   {paused, by: operator | gateway, until (ms, 0 = until told otherwise), reason}
--   {new_chats_held, until (ms)}
--   {rate_limited, window, retry after (ms)}
--   {lane_full, depth}
local now = clock(ARGV[1])
local ask, record = cjson.decode(ARGV[2]), cjson.decode(ARGV[3])
local sid, id, wa, sync = record.s, ask.id, record.w, record.m == 'sync'
local chat = key_of(sid, record.c)
local moment = tonumber(now)

local session = redis.call('HMGET', K.session(sid), 'status', 'worker', 'desired', 'ratePerMin',
  'ratePerHour', 'waJid', 'logout')
if not session[1] or session[3] == 'deleted' then return { 'session_not_found' } end

-- Before anything else: whatever was true since, this very send was accepted.
if redis.call('HSETNX', K.by_wa_id(sid), wa, id) == 0 then
  local known = redis.call('HGET', K.by_wa_id(sid), wa) == id and load_entry(id)
  if not known then return redis.error_reply('the WhatsApp message id belongs to another send') end
  local number, lid = both_names(sid, record.c)
  return {
    'accepted', id, wa, string.match(known.hist, '^%a+'), known.created, number or '', lid or '',
  }
end
local function refuse(...)
  redis.call('HDEL', K.by_wa_id(sid), wa)
  return { ... }
end

if ask.idem then
  local old = replay(ask.idem, ask.print, ask.waiter)
  if old then return refuse(unpack(old)) end
end

load_lane(sid)
local send_at = record.d or 0

-- What an operation is about goes before it, or it does not go.
local behind
if ask.target then
  local out = redis.call('HGET', K.by_wa_id(sid), ask.target)
  local target = out and load_entry(out)
  if target and RANK[target.status] < RANK.sent then
    behind = out
    if target.status == 'scheduled' then
      if sync then return refuse('not_sent_yet', target.status, text(target.send_at)) end
      send_at = math.max(send_at, target.send_at)
    end
  elseif target and RANK[target.status] == RANK.failed
    and not (target.unsure and target.status == 'failed') then
    return refuse('target_not_sent', target.status)
  end
end

-- What is quoted is something that the people of this chat were shown. What is not known may be older
-- than the index: then nothing is made up about it.
local quoted
if ask.quotes then
  local message, former, revoked
  quoted, message, former, revoked = recall(sid, ask.quotes, chat)
  if not quoted then
    quoted, message, former, revoked = recall(sid, ask.quotes, '')
    -- What somebody wrote in a group can be answered in private.
    if message and not (message.s and not is_person(message.c)
      and (is_same(sid, message.s, chat) or message.b == record.c)) then
      return refuse('quote_not_seen', 'another_chat')
    end
  end
  if message and message.c ~= record.c and not message.a and is_same(sid, message.c, record.c) then
    quoted = string.sub(quoted, 1, -2) .. ',"a":' .. cjson.encode(record.c) .. '}'
  end
  if former then return refuse('quote_not_seen', 'not_sent_by_this_account') end
  if revoked then return refuse('quote_not_seen', 'revoked') end
  local out = message and not message.s and not message.d
    and redis.call('HGET', K.by_wa_id(sid), ask.quotes)
  local own = out and load_entry(out)
  if own and RANK[own.status] < RANK.sent then
    behind = out
    if own.status == 'scheduled' then
      if sync then return refuse('not_sent_yet', own.status, text(own.send_at)) end
      send_at = math.max(send_at, own.send_at)
    end
  elseif own and RANK[own.status] == RANK.failed and not (own.unsure and own.status == 'failed') then
    return refuse('quote_not_seen', 'not_sent')
  end
end

local account = session[7] ~= '1' and account_of(session[6]) or ''
if sync then
  if session[1] ~= 'working' then return refuse('not_connected', session[1]) end
  if L.paused > moment then
    local v = redis.call('HMGET', K.lane(sid), 'stopReason', 'pauseReason')
    if L.stop > moment then
      return refuse('paused', 'operator', L.stop >= NEVER and '0' or text(L.stop), v[1] or '')
    end
    return refuse('paused', 'gateway', text(L.paused), v[2] or '')
  end
  if L.hold > moment and is_person(chat) and not redis.call('ZSCORE', K.known(sid), chat) then
    return refuse('new_chats_held', text(L.hold))
  end
  -- The claim spends the budget; this only asks whether the budget would let this send go at once,
  -- after all urgent ones before it and what its own chat has waiting.
  local list = K.chat(sid, chat)
  local in_chat = redis.call('LLEN', list)
  if in_chat > 0 then
    in_chat = in_chat - tonumber(redis.call('HGET', K.urgent(sid), chat) or 0)
    local head = redis.call('LINDEX', list, 0)
    if redis.call('HEXISTS', K.flying(sid), string.match(head, ':(.+)$')) == 1 then
      in_chat = in_chat - 1
    end
  end
  local before = L.urgent + math.max(in_chat, 0)
  local longest, window = 0, nil
  for n, length in ipairs(WINDOWS) do
    local micros = moment * 1000
    local each, arrival, rate = window_of(session[3 + n], length[2], L.tat[length[1]], micros)
    local cells = before + math.min(1 + #(ask.parts or {}), rate)
    local wait = each > 0 and arrival + (cells - rate) * each - micros or 0
    if wait > longest then longest, window = wait, length[1] end
  end
  if longest > 0 then return refuse('rate_limited', window, text(math.ceil(longest / 1000))) end
end
if account == '' then return refuse('logged_out', session[1]) end
index_account(sid, account)
if L.depth >= ask.depth then return refuse('lane_full', text(L.depth)) end

local scheduled = send_at > moment
local entry = {
  id = id, session = sid, chat = chat, to = record.c, wa = wa, parts = record.p, req = record.r,
  seq = next_seq(),
  status = scheduled and 'scheduled' or 'queued', urgent = sync and not scheduled,
  expires = text(ask.expires or math.max(moment, send_at) + ask.ttl),
}
-- What is known of the quoted message becomes part of the body: every attempt quotes the same.
local body = ARGV[4]
if quoted then body = string.sub(body, 1, -2) .. ',"quoted":' .. quoted .. '}' end
if ARGV[5] ~= '' then
  local page, begun = open_page(sid, now)
  remember(sid, page, begun, wa, ARGV[5])
end
local names = id .. ':' .. wa
if ask.parts then
  local page, begun = open_page(sid, now)
  for _, part in ipairs(ask.parts) do
    redis.call('HSET', K.by_wa_id(sid), part[1], id)
    remember(sid, page, begun, part[1], part[2])
    names = names .. ':' .. part[1]
  end
end
local kept = string.sub(ARGV[3], 1, -2) .. ',"a":"' .. account .. '","q":' .. entry.seq .. ',"x":'
  .. entry.expires .. '}'
local fields = { 'record', kept, 'body', body, 'hist', entry.status .. ':' .. now }
local function keep(field, value)
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
if entry.urgent then keep('urgent', 1) end
if ask.waiter then keep('waiters', ' ' .. ask.waiter) end
if behind then keep('behind', behind) end
if ARGV[6] ~= '' then keep('amends', ARGV[6]) end
redis.call('HSET', K.outbox(id), unpack(fields))
if ask.idem then
  redis.call('SET', K.idempotency(ask.idem), ask.print .. ' ' .. id, 'PX', ask.keep)
end
wait_for_expiry(entry)

-- The index gives up, two at a time, what retention has already taken, skipping what outlives it.
redis.call('ZADD', K.outbox_index(sid), now, ranked(entry.seq, names))
trim_outbox(now, 2)
findable(entry, now)

count_waiting(entry, 1)
emit('message.status', sid, now, status_payload(entry, entry.status, now, ''))
if scheduled then schedule(entry, send_at) else enqueue(entry) end
save_and_wake(session[2] or '')
local number, lid = both_names(sid, record.c)
return { 'accepted', id, wa, entry.status, now, number or '', lid or '' }
