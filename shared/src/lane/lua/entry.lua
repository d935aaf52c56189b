-- Shared by all scripts of a lane: an outbox entry, its events, and its moves.
--
-- An outbox entry is a hash:
--   record    what never changes, as acceptance was handed it, with the account, the first number and
--             the first expiry put in (JSON, see send/record.rs)
--   body      the content (JSON); gone once nobody can need it
--   hist      every status and its time: status:ms,status:ms…
--   seq       the number of its place, where it has got another one
--   expiry    when it fails if it still waits (ms), where it was retried
--   urgent    1: somebody waits for it; absent = no
--   attempts  how often it was attempted in this try; absent = 0
--   unsure    1: an attempt was made and nobody answered; absent = no
--   behind    the own send that it is about, while that had not left yet; absent = none
--   error     why it failed, or why the last attempt did (JSON)
--   waiters   ` instance/token` of each request that waits, the latest MOST_WAITERS
--   amends    what it changes about another message, once it is sent (JSON); absent = nothing
--   request   the last request of its sender that was granted (see retry.lua, cancel.lua)

-- How far a status is; a status only ever moves to a higher rank.
local RANK = {
  scheduled = 0, queued = 1, sending = 2, sent = 3,
  delivered = 4, read = 5, played = 6, failed = 9, cancelled = 9,
}

-- Most requests that are told how an entry ended; an older one looks by itself.
local MOST_WAITERS = 16

local FIELDS = {
  'record', 'hist', 'seq', 'expiry', 'urgent', 'attempts', 'unsure', 'behind', 'waiters', 'amends',
  'request', 'body',
}
local LIGHT = { unpack(FIELDS, 1, #FIELDS - 1) }

-- An entry as schema 1 kept it: `fix` held in one text what has fields of its own now.
local FIX = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) %S+ (%S+) (%S+) (.*)$'

local function convert(id)
  local fix = redis.call('HGET', K.outbox(id), 'fix')
  if not fix then return false end
  local seq, urgent, session, chat, wa, mode, kind, expiry, send_at, req = string.match(fix, FIX)
  local record = {
    s = session, c = chat, w = wa, m = mode, k = kind, r = req, q = tonumber(seq),
    x = tonumber(expiry),
  }
  if send_at ~= '0' then record.d = tonumber(send_at) end
  redis.call('HSET', K.outbox(id), 'record', cjson.encode(record))
  if urgent == '1' then redis.call('HSET', K.outbox(id), 'urgent', 1) end
  redis.call('HDEL', K.outbox(id), 'fix')
  return true
end

-- The entry of an id, or nil where retention has taken it; with its content only where that is
-- asked for. `to` is the chat as the caller named it, `chat` its key (see identity/lua/names.lua).
local function load_entry(id, whole)
  local v = redis.call('HMGET', K.outbox(id), unpack(whole and FIELDS or LIGHT))
  if not v[1] then
    if not v[2] or not convert(id) then return nil end
    return load_entry(id, whole)
  end
  local hist = v[2]
  local status, since = string.match(string.match(hist, '^.*,(.*)$') or hist, '^(%a+):(%d+)$')
  local record = cjson.decode(v[1])
  return {
    id = id, session = record.s, chat = key_of(record.s, record.c), to = record.c, wa = record.w,
    parts = record.p, mode = record.m, req = record.r,
    send_at = record.d or 0, created = string.match(hist, '^%a+:(%d+)'), hist = hist,
    status = status, since = since, seq = v[3] or text(record.q), expires = v[4] or text(record.x),
    account = record.a, urgent = v[5] == '1', attempts = tonumber(v[6] or 0), unsure = v[7] == '1',
    behind = v[8] or nil, waiters = v[9] or '', amends = v[10] or nil, request = v[11] or nil,
    record = v[1], body = v[12] or '',
  }
end

-- Appends one event to the organization's stream; `payload` is JSON.
-- The first event of a step also trims what retention takes.
local trimmed = false
local function emit(kind, session, now, payload)
  if trimmed then
    redis.call('XADD', K.events(), '*',
      'event', kind, 'session', session, 'timestamp', now, 'payload', payload)
    return
  end
  trimmed = true
  wake_listeners()
  redis.call('XADD', K.events(), 'MINID', '~', text(tonumber(now) - EVENT_RETENTION), '*',
    'event', kind, 'session', session, 'timestamp', now, 'payload', payload)
end

-- Which try this is: each retry of a failed entry asked by its sender begins another one, and a
-- status moves forward within its try.
local function try_of(entry)
  if not string.find(entry.hist, ',failed:', 1, true) then return 1 end
  local _, retries = string.gsub(entry.hist, ',failed:%d+,queued:', '')
  return retries + 1
end

-- The ids of all messages of a send, as JSON texts.
local function message_ids(entry)
  local ids = '"' .. entry.wa .. '"'
  for _, part in ipairs(entry.parts or {}) do ids = ids .. ',"' .. part .. '"' end
  return ids
end

local function status_payload(entry, status, now, err, sender, try)
  local by = sender and sender ~= '' and ',"senderJid":' .. cjson.encode(sender) or ''
  local failure = err ~= '' and ',"error":' .. err or ''
  local again = try and try > 1 and ',"try":' .. try or ''
  return '{"outboxId":"' .. entry.id .. '","waMessageId":"' .. entry.wa
    .. '","messageIds":[' .. message_ids(entry) .. '],"chatJid":' .. cjson.encode(entry.to) .. ','
    .. names_json(entry.session, entry.to) .. by
    .. ',"status":"' .. status .. '","timestamp":' .. now .. failure .. again
    .. ',"requestId":' .. cjson.encode(entry.req) .. '}'
end

-- Adds a request to those that wait for an entry; of too many, the oldest gives way.
local function add_waiter(entry, waiter)
  local all = {}
  for one in string.gmatch(entry.waiters, '%S+') do all[#all + 1] = one end
  all[#all + 1] = waiter
  entry.waiters = ' ' .. table.concat(all, ' ', math.max(1, #all - MOST_WAITERS + 1))
  redis.call('HSET', K.outbox(entry.id), 'waiters', entry.waiters)
end

-- Tells every request that waits for this entry how it ended.
local function answer(entry, status, now, err)
  for instance, token in string.gmatch(entry.waiters, '([^/ ]+)/([^ ]+)') do
    local json = '{"token":"' .. token .. '","outboxId":"' .. entry.id .. '","waMessageId":"'
      .. entry.wa .. '","status":"' .. status .. '","timestamp":' .. now
    if err ~= '' then json = json .. ',"error":' .. err end
    redis.call('PUBLISH', PREFIX .. ':reply:' .. instance, json .. '}')
  end
end

-- An attempt was made and its worker lives: it is not this entry that kills workers.
local function clear_crashes(id)
  if L.suspects > 0 and redis.call('HDEL', K.suspects(L.session), id) == 1 then
    L.suspects = L.suspects - 1
    put('suspects', L.suspects)
  end
end

-- Whether a chat is with one person; only those can be new to WhatsApp's reach-out limits.
local function is_person(chat)
  return string.find(chat, '@s.whatsapp.net', 1, true) or string.find(chat, '@lid', 1, true)
end

-- Remembers that a chat was written to; of many, the latest.
local function know_chat(chat, now)
  if is_person(chat) then gather(written_to, now, chat) end
end

-- Gives the entry a new status and emits it, in one step. `err` is JSON or ''.
local function move(entry, status, now, err, sender)
  local key, before = K.outbox(entry.id), RANK[entry.status]
  -- WhatsApp counts whole seconds, and its clock is not ours: no step is earlier than the last.
  if tonumber(now) < tonumber(entry.since) then now = entry.since end
  entry.status, entry.since = status, now
  entry.hist = entry.hist .. ',' .. status .. ':' .. now
  if err ~= '' then
    redis.call('HSET', key, 'hist', entry.hist, 'error', err)
  elseif status == 'sending' then
    redis.call('HSET', key, 'hist', entry.hist, 'attempts', entry.attempts)
  else
    redis.call('HSET', key, 'hist', entry.hist)
  end
  emit('message.status', entry.session, now,
    status_payload(entry, status, now, err, sender, try_of(entry)))
  -- Settled: from here on retention counts.
  if before < RANK.sent and RANK[status] >= RANK.sent then
    clear_crashes(entry.id)
    if status == 'sent' then know_chat(entry.chat, now) end
    if entry.waiters ~= '' then
      answer(entry, status, now, err)
      redis.call('HDEL', key, 'waiters')
    end
    if err == '' and entry.attempts > 1 then redis.call('HDEL', key, 'error') end
    redis.call('PEXPIRE', key, OUTBOX_RETENTION)
  end
end

-- A receipt for an entry that failed because nobody knew what had become of it: it arrived.
local function correct(entry, now)
  redis.call('ZREM', K.dead(L.session), entry.id)
  redis.call('HDEL', K.outbox(entry.id), 'error')
  know_chat(entry.chat, now)
  move(entry, 'sent', now, '')
end

-- Notes that an attempt was made whose outcome nobody knows.
local function doubt(entry)
  if entry.unsure then return end
  entry.unsure = true
  redis.call('HSET', K.outbox(entry.id), 'unsure', 1)
end

-- The error (JSON) of an entry that ends without WhatsApp having refused it. After an attempt that
-- nobody answered it is not true that it was not sent: then the code says so, and `cause` keeps why
-- it is given up.
local function given_up(entry, code, message, wa_code)
  local err = { code = code, message = message, waCode = wa_code }
  if entry.unsure then
    err.code, err.cause = 'outcome_unknown', code
    err.message = 'an attempt was made and WhatsApp did not answer, so it may have arrived; '
      .. message
  end
  return cjson.encode(err)
end
