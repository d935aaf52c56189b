-- Shared by all scripts of a lane: the lane's record, an outbox entry, its moves, and its place.
-- Included after the key prelude (R, K), the settings (PREFIX, EVENT_RETENTION, OUTBOX_RETENTION,
-- both in ms) and the fence (owns).
--
-- A chat's list holds `seq:outboxId` in order of acceptance. A chat whose list is not empty is in
-- exactly one place: in `ready` (its head may be claimed), in `delayed` (its head waits out a
-- back-off), or its head is in `flying`. What ended further back stays in the list as a tombstone,
-- which costs nothing until it is the head.

-- How far a status is; a status only ever moves to a higher rank.
local RANK = {
  scheduled = 0, queued = 1, sending = 2, sent = 3,
  delivered = 4, read = 5, played = 6, failed = 9, cancelled = 9,
}

-- An urgent chat goes before every other one; sequence numbers never come near this.
local URGENCY = 1e15

-- When something falls due that never does (ms).
local NEVER = 9e15

-- Most chats of a session that are remembered as written to.
local MOST_KNOWN = 100000

-- Numbers become text without an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- The lane's record, read once by load_lane and written once by save_lane.
--   due     nothing in delayed, scheduled or expiring falls due before this moment
--   asleep  the owner saw nothing ready and waits to be woken
--   hold    chats never written to wait until this moment
--   suspects  number of entries in `suspects`
local L, changed, stirred, sooner = nil, nil, false, false

local function load_lane(session)
  local v = redis.call('HMGET', K.lane(session), 'seq', 'depth', 'urgent', 'due', 'asleep',
    'pausedUntil', 'stoppedUntil', 'skip', 'newChatsUntil', 'suspects')
  L = {
    session = session, seq = tonumber(v[1] or 0), depth = tonumber(v[2] or 0),
    urgent = tonumber(v[3] or 0), due = tonumber(v[4] or NEVER), asleep = v[5] ~= '0',
    paused = math.max(tonumber(v[6] or 0), tonumber(v[7] or 0)), skip = tonumber(v[8] or 0),
    hold = tonumber(v[9] or 0), suspects = tonumber(v[10] or 0),
  }
end

local function put(field, value)
  changed = changed or {}
  changed[field] = value
end

-- Wakes the owner, if there is one; `owner` is the session's worker where the caller knows it.
local function wake(owner)
  owner = owner or redis.call('HGET', K.session(L.session), 'worker')
  if not owner or owner == '' then return end
  if L.asleep then
    L.asleep = false
    put('asleep', 0)
  end
  redis.call('PUBLISH', PREFIX .. ':wake:' .. owner, L.session)
end

-- Chats that became ready and chats that were written to, with their scores: each is one command
-- for all of a step, and so is written before anything reads it.
local readied, written_to = {}, {}

local function write_gathered()
  if #readied > 0 then redis.call('ZADD', K.ready(L.session), unpack(readied)) end
  if #written_to > 0 then
    local known = K.known(L.session)
    if redis.call('ZADD', known, unpack(written_to)) > 0 then
      local over = redis.call('ZCARD', known) - MOST_KNOWN
      if over > 0 then redis.call('ZREMRANGEBYRANK', known, 0, over - 1) end
    end
  end
  readied, written_to = {}, {}
end

local function gather(list, score, chat)
  -- Lua can not pass on any number of arguments at once.
  if #list >= 1000 then write_gathered() end
  list[#list + 1] = score
  list[#list + 1] = chat
end

local function save_lane()
  write_gathered()
  if not changed then return end
  local fields = {}
  for field, value in pairs(changed) do
    fields[#fields + 1] = field
    fields[#fields + 1] = type(value) == 'number' and text(value) or value
  end
  redis.call('HSET', K.lane(L.session), unpack(fields))
  changed = nil
end

-- Saves the lane, and wakes the owner where it waits for what just happened.
local function save_and_wake(owner)
  if sooner or (stirred and L.asleep) then wake(owner) end
  save_lane()
end

-- Something in delayed, scheduled or expiring falls due at this moment.
local function falls_due(at)
  if at < L.due then
    L.due, sooner = at, true
    put('due', at)
  end
end

-- Counts an entry in (+1) or out (-1) of those that wait to be claimed.
local function count_waiting(entry, by)
  L.depth = L.depth + by
  put('depth', L.depth)
  if entry.urgent == '1' then
    L.urgent = L.urgent + by
    put('urgent', L.urgent)
    local left = redis.call('HINCRBY', K.urgent(L.session), entry.chat, by)
    if left <= 0 then redis.call('HDEL', K.urgent(L.session), entry.chat) end
  end
end

-- An outbox entry is a hash of few and short fields, which Redis keeps packed:
--   fix       what does not change: seq urgent session chat wa mode type created expires sendAt req
--   hist      every status and its time: status:ms,status:ms…
--   body      JSON        attempts  absent = 0
--   error     JSON        waiters   ` instance/token` of each request that waits
--   amends    what it changes about another message, once it is sent (JSON); absent = nothing
local FIX = '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) %S+ (%S+) (%S+) %S+ (.*)$'

-- The entry of an id from its fields, or nil where retention has taken it. Patterns are anchored:
-- others are tried from every place of the text.
local function entry_of(id, fix, hist, attempts, waiters, amends)
  if not fix then return nil end
  local status, since = string.match(string.match(hist, '^.*,(.*)$') or hist, '^(%a+):(%d+)$')
  local seq, urgent, session, chat, wa, mode, created, expires, req = string.match(fix, FIX)
  return {
    id = id, session = session, chat = chat, wa = wa, mode = mode, urgent = urgent, seq = seq,
    created = created, expires = expires, req = req, fix = fix, hist = hist,
    status = status, since = since, attempts = tonumber(attempts or 0),
    waiters = waiters or '', amends = amends,
  }
end

local function load_entry(id)
  local v = redis.call('HMGET', K.outbox(id), 'fix', 'hist', 'attempts', 'waiters', 'amends')
  return entry_of(id, v[1], v[2], v[3], v[4], v[5])
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
  redis.call('XADD', K.events(), 'MINID', '~', text(tonumber(now) - EVENT_RETENTION), '*',
    'event', kind, 'session', session, 'timestamp', now, 'payload', payload)
end

-- Which try this is: each retry of a failed entry by its owner's wish begins another one, and a
-- status moves forward within its try.
local function try_of(entry)
  if not string.find(entry.hist, ',failed:', 1, true) then return 1 end
  local _, failures = string.gsub(entry.hist, ',failed:', '')
  return failures + 1
end

local function status_payload(entry, status, now, err, sender, try)
  local by = sender and sender ~= '' and ',"senderJid":' .. cjson.encode(sender) or ''
  local failure = err ~= '' and ',"error":' .. err or ''
  local again = try and try > 1 and ',"try":' .. try or ''
  return '{"outboxId":"' .. entry.id .. '","waMessageId":"' .. entry.wa
    .. '","messageIds":["' .. entry.wa .. '"],"chatJid":' .. cjson.encode(entry.chat) .. by
    .. ',"status":"' .. status .. '","timestamp":' .. now .. failure .. again
    .. ',"requestId":' .. cjson.encode(entry.req) .. '}'
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

-- Gives the entry a new status and tells it, in one step. `err` is JSON or ''.
local function move(entry, status, now, err, sender)
  local key, before, try = K.outbox(entry.id), RANK[entry.status], try_of(entry)
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
  emit('message.status', entry.session, now, status_payload(entry, status, now, err, sender, try))
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

-- Lets a chat be claimed whose head has this sequence number.
local function make_ready(chat, seq)
  local score = tonumber(seq)
  if L.urgent > 0 and redis.call('HEXISTS', K.urgent(L.session), chat) == 1 then
    score = score - URGENCY
  end
  gather(readied, score, chat)
  stirred = true
end

-- Puts an entry at the end of its chat. The caller has counted it as waiting.
local function enqueue(entry)
  local session, chat = L.session, entry.chat
  local length = redis.call('RPUSH', K.chat(session, chat), entry.seq .. ':' .. entry.id)
  if length == 1 then
    make_ready(chat, entry.seq)
  elseif entry.urgent == '1' then
    -- The whole chat is hurried on, so that the urgent entry keeps its place in it.
    write_gathered()
    local score = redis.call('ZSCORE', K.ready(session), chat)
    if score and tonumber(score) >= 0 then
      redis.call('ZADD', K.ready(session), tonumber(score) - URGENCY, chat)
    end
  end
end

-- The heads of chats that went on in this step, as their lists have them.
local next_heads = {}

-- Takes an ended entry out of its chat, if it is the head, and lets the chat go on.
local function leave_chat(entry, flew)
  local session, chat = L.session, entry.chat
  local key = K.chat(session, chat)
  local heads = redis.call('LRANGE', key, 0, 1)
  if heads[1] ~= entry.seq .. ':' .. entry.id then return end
  redis.call('LPOP', key)
  next_heads[chat] = heads[2]
  if not flew then redis.call('ZREM', K.delayed(session), chat) end
  if heads[2] then
    make_ready(chat, string.match(heads[2], '^%d+'))
  elseif not flew then
    write_gathered()
    redis.call('ZREM', K.ready(session), chat)
  end
end

-- Takes a waiting entry out of all that makes it wait, except its chat.
local function stop_waiting(entry)
  count_waiting(entry, -1)
  redis.call('ZREM', K.expiring(L.session), entry.id)
  if entry.status == 'scheduled' then redis.call('ZREM', K.scheduled(L.session), entry.id) end
end

-- Lets an entry that was in flight wait again, at the head of its chat.
local function wait_again(entry)
  count_waiting(entry, 1)
  redis.call('ZADD', K.expiring(L.session), entry.expires, entry.id)
  falls_due(tonumber(entry.expires))
end

-- Fails an entry for good and files it as a dead letter. `flew`: it was in flight, and the caller
-- has taken it out of there; otherwise it waits.
local function dead_letter(entry, now, err, flew)
  if not flew then stop_waiting(entry) end
  move(entry, 'failed', now, err)
  redis.call('ZADD', K.dead(L.session), now, entry.id)
  leave_chat(entry, flew)
end

-- Ends, as expired, what waited past its time; at most `limit` entries. What is in flight may
-- already be at the recipient: it is not among them.
local function expire_due(now, limit)
  local due = redis.call('ZRANGEBYSCORE', K.expiring(L.session), '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(due) do
    local entry = load_entry(id)
    if entry and RANK[entry.status] < RANK.sent then
      dead_letter(entry, now, '{"code":"expired","message":"not sent within its time to live"}', false)
    else
      redis.call('ZREM', K.expiring(L.session), id)
    end
  end
  return #due
end

-- The moment at which the first thing in the lane falls due, found anew.
local function look_for_due()
  local soonest = NEVER
  for _, key in ipairs({ K.delayed(L.session), K.scheduled(L.session), K.expiring(L.session) }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then soonest = math.min(soonest, tonumber(first[2])) end
  end
  if soonest ~= L.due then
    L.due = soonest
    put('due', soonest)
  end
end
