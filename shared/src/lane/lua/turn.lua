-- One turn of a lane's owner: settles what ended, then lets in what fell due, then claims what may
-- be sent next: the heads of chats, urgent chats first, then in order of acceptance; one entry of
-- a chat at a time. The budget is spent in the same step, at Redis' time.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch
--       4 greatest number of claims; 0 = claim nothing; -1 = only settle
--       5 greatest number of attempts of an entry
--       6 the call: a repeat of it claims nothing more, and answers what the first run claimed
--       then four for each settlement: outbox id, outcome, time (ms), error (JSON or '')
--       outcome  sent     acknowledged by WhatsApp at `time`
--                retry    failed for now: again at `time` by the caller's clock, at the head of its
--                         chat
--                silent   as retry, and nobody answered: it may have arrived
--                release  was not attempted: back to its place, and the attempt not counted
--                cut      as release, and it may have arrived all the same
--                dead     failed for good
-- Replies
--   {stale}  nothing was changed
--   {turned, {done | dead | gone for each settlement; gone: it was settled before},
--    {{id, record, content, attempts (this one included), accepted at (ms)}…},
--    more to claim: 1 | 0, number in flight, next due (ms, 0 = nothing), paused until (ms, 0 = no),
--    now (ms), minute arrival time (µs), hour arrival time (µs),
--    the budget allows the next claim in (ms; 0 = now)}
local sid, epoch, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local session = redis.call('HMGET', K.session(sid), 'epoch', 'waJid', 'ratePerMin', 'ratePerHour')
if session[1] ~= epoch then
  refuse_stale()
  return { 'stale' }
end
if most > MOST_AT_ONCE or #ARGV > 6 + 4 * MOST_AT_ONCE then
  return redis.error_reply('too many claims or settlements at once')
end
local now, shift = clock(ARGV[1])
load_lane(sid)
local flying, moment, account = K.flying(sid), tonumber(now), account_of(session[2])
index_account(sid, account)

local claimant = epoch .. ':' .. ARGV[6]
local repeated = L.turn == ARGV[6]
local settled, ids = {}, {}
for i = 7, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
if repeated then
  for n, id in ipairs(ids) do
    local entry = load_entry(id)
    settled[n] = not entry and 'gone' or entry.status == 'failed' and 'dead' or 'done'
  end
elseif #ids > 0 then
  local flew = redis.call('HMGET', flying, unpack(ids))
  redis.call('HDEL', flying, unpack(ids))
  local seen = {}
  for n, id in ipairs(ids) do
    local outcome, time, err = ARGV[4 + 4 * n], ARGV[5 + 4 * n], ARGV[6 + 4 * n]
    local entry = flew[n] and not seen[id] and load_entry(id)
    seen[id] = true
    if entry and (outcome == 'silent' or outcome == 'cut') then doubt(entry) end
    if not entry then
      settled[n] = 'gone'
    elseif outcome == 'sent' then
      move(entry, 'sent', time, '')
      if entry.amends then amend(sid, entry.amends, 'o', id) end
      leave_chat(entry, true)
      settled[n] = 'done'
    elseif outcome == 'dead' then
      dead_letter(entry, now, err, true)
      settled[n] = 'dead'
    elseif (outcome == 'retry' or outcome == 'silent') and entry.attempts >= tonumber(ARGV[5]) then
      local last = cjson.decode(err)
      dead_letter(entry, now, given_up(entry, 'attempts_exhausted', last.message, last.waCode), true)
      settled[n] = 'dead'
    else
      wait_again(entry)
      if outcome == 'retry' or outcome == 'silent' then
        clear_crashes(id)
        redis.call('HSET', K.outbox(id), 'error', err)
        put_off(entry.chat, text(math.min(tonumber(time) + shift, moment + LONGEST_DELAY)))
      else
        redis.call('HSET', K.outbox(id), 'attempts', entry.attempts - 1)
        make_ready(entry.chat, entry.seq)
      end
      settled[n] = 'done'
    end
  end
end

if most >= 0 and moment >= L.due and not repeated then
  expire_due(now, 50)
  -- Scheduled entries whose time has come enter the lane, in order of their time and their number.
  local due = redis.call('ZRANGEBYSCORE', K.scheduled(sid), '-inf', now, 'LIMIT', 0, 100)
  for _, member in ipairs(due) do
    redis.call('ZREM', K.scheduled(sid), member)
    local entry = load_entry(id_of(member))
    if entry and entry.status == 'scheduled' then
      move(entry, 'queued', now, '')
      place_last(entry)
    end
  end
  -- Chats whose head has waited out its back-off may be claimed again.
  due = redis.call('ZRANGEBYSCORE', K.delayed(sid), '-inf', now, 'LIMIT', 0, 100)
  for _, chat in ipairs(due) do end_delay(chat) end
  look_for_due()
end

-- What the budget allows now.
local paused = L.paused > moment
local idle = paused or account == '' or repeated
local wanted, windows = idle and 0 or math.max(most, 0), {}
-- Budget that this turn spends, and what the send needs that it does not suffice for.
local spent, needed = 0, 1
-- Without an account nothing may go, and the owner is not to ask again at once.
local allowed_in = account == '' and 1000 or 0
for n, length in ipairs(WINDOWS) do
  local micros = moment * 1000
  local each, arrival, rate = window_of(session[2 + n], length[2], L.tat[length[1]], micros)
  local free = each > 0 and math.max(0, math.floor((micros + rate * each - arrival) / each))
  windows[n] = { each = each, arrival = arrival, rate = rate, micros = micros, free = free }
  if free then wanted = math.min(wanted, free) end
end
local function affords(cells)
  for _, window in ipairs(windows) do
    if window.free and math.min(cells, window.rate) > window.free - spent then return false end
  end
  return true
end

-- Whether the head of a chat may go: true; false: it is the head no more; nil: the chat is put off.
local put_off_chats, most_put_off, moved_back = 0, 500, 0
local function may_go(entry)
  local chat = entry.chat
  local function give_up(code, why)
    file_away(entry, now, given_up(entry, code, why), false)
    redis.call('LPOP', K.chat(sid, chat))
    next_heads[chat] = nil
    return false
  end
  if entry.account and entry.account ~= account then
    return give_up('account_changed', 'another number is paired than it was accepted for')
  end
  local target = entry.behind and load_entry(entry.behind)
  if target and RANK[target.status] < RANK.sent then
    -- It was retried, and so has a place further back.
    if target.chat ~= chat or moved_back >= 100 then
      put_off(chat, text(moment + 1000))
      return nil
    end
    moved_back = moved_back + 1
    redis.call('LPOP', K.chat(sid, chat))
    next_heads[chat] = nil
    entry.seq = next_seq()
    redis.call('HSET', K.outbox(entry.id), 'seq', entry.seq)
    redis.call('RPUSH', K.chat(sid, chat), entry.seq .. ':' .. entry.id)
    return false
  end
  if target and (target.status == 'cancelled' or target.status == 'failed' and not target.unsure)
  then
    return give_up('target_not_sent', 'the message that it is about was not sent')
  end
  if L.hold > moment and is_person(chat) and not redis.call('ZSCORE', K.known(sid), chat) then
    put_off(chat, text(L.hold))
    return nil
  end
  return true
end

local claims, ready = {}, K.ready(sid)
local function add_claim(entry)
  claims[#claims + 1] = { entry.id, entry.record, entry.body, entry.attempts, entry.created }
end
if repeated then
  local claimed = {}
  local in_flight = redis.call('HGETALL', flying)
  for i = 1, #in_flight, 2 do
    local entry = in_flight[i + 1] == claimant and load_entry(in_flight[i], true)
    if entry then claimed[#claimed + 1] = entry end
  end
  table.sort(claimed, function(a, b) return tonumber(a.seq) < tonumber(b.seq) end)
  for _, entry in ipairs(claimed) do add_claim(entry) end
end
write_gathered()
local drained, poor = false, false
while spent < wanted and not drained and not poor and put_off_chats < most_put_off do
  local room = wanted - spent
  local popped = redis.call('ZPOPMIN', ready, room)
  drained = #popped < 2 * room
  for i = 1, #popped, 2 do
    local chat = popped[i]
    local list = K.chat(sid, chat)
    local entry, goes
    repeat
      local head = next_heads[chat] or redis.call('LINDEX', list, 0)
      local seq, id = string.match(head or '', '^(%d+):(.+)$')
      entry = id and load_entry(id, true)
      goes = nil
      if id and not (entry and RANK[entry.status] <= RANK.sending and entry.seq == seq) then
        -- What was cancelled or expired, is gone altogether, or was retried and so has another
        -- place further back, is no head.
        redis.call('LPOP', list)
        next_heads[chat] = nil
        goes = false
      elseif id and (entry.status ~= 'sending' or redis.call('HEXISTS', flying, id) == 0) then
        -- Of chats that became one (learn.lua), both heads may be in flight: that one goes on by
        -- itself.
        goes = may_go(entry)
      end
    until goes ~= false
    local cells = goes and 1 + #(entry.parts or {})
    if goes and (poor or cells > 1 and not affords(cells)) then
      -- What comes after it waits as well: otherwise it would never be its turn. An album that is
      -- larger than what is left of this turn, and not than the budget, is claimed by the next one.
      if not poor then poor, needed = true, cells end
      gather(readied, tonumber(popped[i + 1]), chat)
    elseif goes then
      spent = spent + cells
      entry.attempts = entry.attempts + 1
      count_waiting(entry, -1)
      if entry.status == 'sending' then
        redis.call('HSET', K.outbox(entry.id), 'attempts', entry.attempts)
      else
        move(entry, 'sending', now, '')
      end
      add_claim(entry)
    else
      put_off_chats = put_off_chats + 1
    end
  end
end
if poor then
  drained = false
  write_gathered()
end
if spent > 0 then
  local fields, claimed = {}, {}
  for n, claim in ipairs(claims) do
    claimed[n], fields[2 * n - 1], fields[2 * n] = claim[1], claim[1], claimant
  end
  redis.call('HSET', flying, unpack(fields))
  redis.call('ZREM', K.expiring(sid), unpack(claimed))
end
for n, field in ipairs({ 'tatMinute', 'tatHour' }) do
  local window = windows[n]
  if window.each > 0 then
    window.arrival = window.arrival + spent * window.each
    if spent > 0 then put(field, window.arrival) end
    local cells = math.min(needed, window.rate)
    local wait = window.arrival + (cells - window.rate) * window.each - window.micros
    allowed_in = math.max(allowed_in, math.ceil(wait / 1000))
  end
end

local more = not drained and redis.call('EXISTS', ready) == 1
if L.asleep == more and not repeated then put('asleep', more and 0 or 1) end
if not repeated and (spent > 0 or #ids > 0) then put('turn', ARGV[6]) end
save_lane()
return {
  'turned', settled, claims, more and 1 or 0, redis.call('HLEN', flying),
  text(L.due == NEVER and 0 or L.due), text(paused and L.paused or 0), now,
  text(windows[1].arrival), text(windows[2].arrival), text(allowed_in),
}
