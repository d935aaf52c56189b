-- One turn of a lane's owner: settles what ended, then lets in what fell due, then claims what may
-- be sent next: the heads of chats, urgent chats first, then in order of acceptance; one entry of
-- a chat at a time. The budget is spent in the same step.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 epoch
--       4 greatest number of claims; 0 = claim nothing; -1 = only settle
--       5 greatest number of attempts of an entry
--       6, 7 minute window: theoretical arrival time before the claims, and a claim's share (µs)
--       8, 9 hour window likewise; a share of 0 = no limit
--       then four for each settlement: outbox id, outcome, time (ms), error (JSON or '')
--       outcome  sent     acknowledged by WhatsApp at `time`
--                retry    failed for now: again at `time`, at the head of its chat
--                release  was not attempted: back to its place, and the attempt not counted
--                dead     failed for good
-- Replies
--   {stale}  nothing was changed
--   {turned, {done | dead | gone for each settlement; gone: it was settled before},
--    {{id, chat, WhatsApp message id, body, mode, attempts (this one included), request id,
--      created (ms)}…},
--    more to claim: 1 | 0, number in flight, next due (ms, 0 = nothing), paused until (ms, 0 = no)}
local now, sid, epoch, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not owns(sid, epoch) then return { 'stale' } end
load_lane(sid)
local flying, moment = K.flying(sid), tonumber(now)

local settled = {}
if #ARGV > 9 then
  local ids = {}
  for i = 10, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
  local flew = redis.call('HMGET', flying, unpack(ids))
  redis.call('HDEL', flying, unpack(ids))
  local seen = {}
  for n, id in ipairs(ids) do
    local outcome, time, err = ARGV[7 + 4 * n], ARGV[8 + 4 * n], ARGV[9 + 4 * n]
    local entry = flew[n] and not seen[id] and load_entry(id)
    seen[id] = true
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
    elseif outcome == 'retry' and entry.attempts >= tonumber(ARGV[5]) then
      local last = cjson.decode(err)
      last.code = 'attempts_exhausted'
      dead_letter(entry, now, cjson.encode(last), true)
      settled[n] = 'dead'
    else
      wait_again(entry)
      if outcome == 'retry' then
        clear_crashes(id)
        redis.call('HSET', K.outbox(id), 'error', err)
        redis.call('ZADD', K.delayed(sid), time, entry.chat)
        falls_due(tonumber(time))
      else
        redis.call('HSET', K.outbox(id), 'attempts', entry.attempts - 1)
        make_ready(entry.chat, entry.seq)
      end
      settled[n] = 'done'
    end
  end
end

if most >= 0 and moment >= L.due then
  expire_due(now, 50)
  -- Scheduled entries whose time has come enter the lane, in order of their time.
  local due = redis.call('ZRANGEBYSCORE', K.scheduled(sid), '-inf', now, 'LIMIT', 0, 100)
  for _, id in ipairs(due) do
    redis.call('ZREM', K.scheduled(sid), id)
    local entry = load_entry(id)
    if entry and entry.status == 'scheduled' then
      L.seq = L.seq + 1
      put('seq', L.seq)
      entry.seq = text(L.seq)
      redis.call('HSET', K.outbox(id), 'fix',
        entry.seq .. string.match(entry.fix, '^%S+(.*)$'))
      move(entry, 'queued', now, '')
      enqueue(entry)
    end
  end
  -- Chats whose head has waited out its back-off may be claimed again.
  due = redis.call('ZRANGEBYSCORE', K.delayed(sid), '-inf', now, 'LIMIT', 0, 100)
  for _, chat in ipairs(due) do
    redis.call('ZREM', K.delayed(sid), chat)
    local head = redis.call('LINDEX', K.chat(sid, chat), 0)
    if head then make_ready(chat, string.match(head, '^%d+')) end
  end
  look_for_due()
end

local claims, ready = {}, K.ready(sid)
local paused = L.paused > moment
write_gathered()
local drained = false
local wanted = paused and 0 or most
-- While new chats are held, those never written to are put off; so many in one turn.
local held, put_off, most_put_off = L.hold > moment, 0, 500
while #claims < wanted and not drained and put_off < most_put_off do
  local room = wanted - #claims
  local popped = redis.call('ZPOPMIN', ready, room)
  drained = #popped < 2 * room
  for i = 1, #popped, 2 do
    local chat = popped[i]
    local list = K.chat(sid, chat)
    local seq, id, v, entry
    repeat
      -- What was cancelled or expired, is gone altogether, or was retried and so has another place
      -- further back, is no head.
      if id then
        redis.call('LPOP', list)
        next_heads[chat] = nil
      end
      local head = next_heads[chat] or redis.call('LINDEX', list, 0)
      seq, id = string.match(head or '', '^(%d+):(.+)$')
      if id then
        v = redis.call('HMGET', K.outbox(id), 'fix', 'hist', 'attempts', 'body')
        entry = entry_of(id, v[1], v[2], v[3])
      end
    until not id or (entry and RANK[entry.status] <= RANK.sending and entry.seq == seq)
    if id and held and is_person(chat) and not redis.call('ZSCORE', K.known(sid), chat) then
      redis.call('ZADD', K.delayed(sid), L.hold, chat)
      falls_due(L.hold)
      put_off = put_off + 1
    elseif id then
      entry.attempts = entry.attempts + 1
      count_waiting(entry, -1)
      if entry.status == 'sending' then
        redis.call('HSET', K.outbox(id), 'attempts', entry.attempts)
      else
        move(entry, 'sending', now, '')
      end
      claims[#claims + 1] = {
        id, chat, entry.wa, v[4], entry.mode, entry.attempts, entry.req, entry.created,
      }
    end
  end
end
if #claims > 0 then
  local fields, ids = {}, {}
  for n, claim in ipairs(claims) do
    ids[n], fields[2 * n - 1], fields[2 * n] = claim[1], claim[1], epoch
  end
  redis.call('HSET', flying, unpack(fields))
  redis.call('ZREM', K.expiring(sid), unpack(ids))
  if ARGV[7] ~= '0' then put('tatMinute', tonumber(ARGV[6]) + #claims * tonumber(ARGV[7])) end
  if ARGV[9] ~= '0' then put('tatHour', tonumber(ARGV[8]) + #claims * tonumber(ARGV[9])) end
end

local more = not drained and redis.call('EXISTS', ready) == 1
if L.asleep == more then put('asleep', more and 0 or 1) end
save_lane()
return {
  'turned', settled, claims, more and 1 or 0, redis.call('HLEN', flying),
  text(L.due == NEVER and 0 or L.due), text(paused and L.paused or 0),
}
