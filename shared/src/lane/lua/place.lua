-- Shared by all scripts of a lane: the places of entries in their chats.
--
-- A chat's list holds `seq:outboxId` in order of acceptance. A chat whose list is not empty is in
-- exactly one place: in `ready` (its head may be claimed), in `delayed` (its head waits out a
-- back-off), or its head is in `flying`. What ended further back stays in the list as a tombstone,
-- which costs nothing until it is the head.

-- An urgent chat goes before every other one; sequence numbers never come near this.
local URGENCY = 1e15

-- Counts an entry in (+1) or out (-1) of those that wait to be claimed.
local function count_waiting(entry, by)
  L.depth = L.depth + by
  put('depth', L.depth)
  if entry.urgent then
    L.urgent = L.urgent + by
    put('urgent', L.urgent)
    local left = redis.call('HINCRBY', K.urgent(L.session), entry.chat, by)
    if left <= 0 then redis.call('HDEL', K.urgent(L.session), entry.chat) end
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

-- Lets the chat wait until `at`; its head keeps its place.
local function put_off(chat, at)
  redis.call('ZADD', K.delayed(L.session), at, chat)
  falls_due(tonumber(at))
end

-- The chat in `delayed` may be claimed again.
local function end_delay(chat)
  redis.call('ZREM', K.delayed(L.session), chat)
  local head = redis.call('LINDEX', K.chat(L.session, chat), 0)
  if head then make_ready(chat, string.match(head, '^%d+')) end
end

-- Puts an entry at the end of its chat. The caller has counted it as waiting.
local function enqueue(entry)
  local session, chat = L.session, entry.chat
  local length = redis.call('RPUSH', K.chat(session, chat), entry.seq .. ':' .. entry.id)
  if length == 1 then
    make_ready(chat, entry.seq)
  elseif entry.urgent then
    -- The whole chat is hurried on, so that the urgent entry keeps its place in it.
    write_gathered()
    local score = redis.call('ZSCORE', K.ready(session), chat)
    if score and tonumber(score) >= 0 then
      redis.call('ZADD', K.ready(session), tonumber(score) - URGENCY, chat)
    end
  end
end

-- Gives an entry a new place, behind all that is in its chat.
local function place_last(entry)
  entry.seq = next_seq()
  redis.call('HSET', K.outbox(entry.id), 'seq', entry.seq)
  enqueue(entry)
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

-- Puts a scheduled entry where it waits for its moment.
local function schedule(entry, at)
  redis.call('ZADD', K.scheduled(L.session), at, ranked(entry.seq, entry.id))
  falls_due(tonumber(at))
end

-- Lets an entry wait for its time to live.
local function wait_for_expiry(entry)
  redis.call('ZADD', K.expiring(L.session), entry.expires, entry.id)
  falls_due(tonumber(entry.expires))
end

-- Takes a waiting entry out of all that makes it wait, except its chat.
local function stop_waiting(entry)
  count_waiting(entry, -1)
  redis.call('ZREM', K.expiring(L.session), entry.id)
  if entry.status == 'scheduled' then
    redis.call('ZREM', K.scheduled(L.session), ranked(entry.seq, entry.id), entry.id)
  end
end

-- Lets an entry that was in flight wait again, at the head of its chat.
local function wait_again(entry)
  count_waiting(entry, 1)
  wait_for_expiry(entry)
end

-- Fails an entry for good and files it as a dead letter; its place in its chat is the caller's to
-- see to. `flew`: it was in flight, and the caller has taken it out of there; otherwise it waits.
local function file_away(entry, now, err, flew)
  if not flew then stop_waiting(entry) end
  move(entry, 'failed', now, err)
  redis.call('ZADD', K.dead(L.session), now, entry.id)
end

-- The same, and the chat goes on.
local function dead_letter(entry, now, err, flew)
  file_away(entry, now, err, flew)
  leave_chat(entry, flew)
end

-- Ends, as expired, what waited past its time; at most `limit` entries, in the order of their
-- numbers where they expire together. What is in flight may already be at the recipient: it is not
-- among them.
local function expire_due(now, limit)
  local due = redis.call('ZRANGEBYSCORE', K.expiring(L.session), '-inf', now, 'LIMIT', 0, limit)
  local ended = {}
  for _, id in ipairs(due) do
    local entry = load_entry(id)
    if entry and RANK[entry.status] < RANK.sent then
      ended[#ended + 1] = entry
    else
      redis.call('ZREM', K.expiring(L.session), id)
    end
  end
  table.sort(ended, function(a, b)
    if a.expires ~= b.expires then return tonumber(a.expires) < tonumber(b.expires) end
    return tonumber(a.seq) < tonumber(b.seq)
  end)
  for _, entry in ipairs(ended) do
    dead_letter(entry, now, given_up(entry, 'expired', 'not sent within its time to live'), false)
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
