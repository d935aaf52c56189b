-- Shared by all scripts of a lane: the lane's record, and waking its owner.
-- Included after the key prelude (R, K), the settings (PREFIX, EVENT_RETENTION, OUTBOX_RETENTION,
-- both in ms), the clock and the fence.

-- When something falls due that never does (ms).
local NEVER = 9e15

-- The longest that one step may put anything off (ms): whatever a caller got wrong, it is over then.
local LONGEST_DELAY = 31 * 24 * 3600 * 1000

-- Most chats of a session that are remembered as written to.
local MOST_KNOWN = 100000

-- Most entries that one step may be handed: Lua can not pass on any number of arguments, and Redis
-- serves nobody else meanwhile. A script refuses more before it changes anything.
local MOST_AT_ONCE = 2000

-- Numbers become text without an exponent.
local function text(number)
  return string.format('%.0f', number)
end

-- The lane's record, read once by load_lane and written once by save_lane.
--   seq     numbers given out: each accepted send takes one, and one more whenever it gets a new
--           place in its chat
--   due     nothing in delayed, scheduled or expiring falls due before this moment
--   asleep  the owner saw nothing ready and waits to be woken
--   hold    chats never written to wait until this moment
--   suspects  number of entries in `suspects`
--   turn    the last call that claimed or settled
local L, changed, stirred, sooner = nil, nil, false, false

local function load_lane(session)
  local v = redis.call('HMGET', K.lane(session), 'seq', 'depth', 'urgent', 'due', 'asleep',
    'pausedUntil', 'stoppedUntil', 'skip', 'newChatsUntil', 'suspects', 'tatMinute', 'tatHour', 'turn')
  L = {
    session = session, seq = tonumber(v[1] or 0), depth = tonumber(v[2] or 0),
    urgent = tonumber(v[3] or 0), due = tonumber(v[4] or NEVER), asleep = v[5] ~= '0',
    rest = tonumber(v[6] or 0), stop = tonumber(v[7] or 0), skip = tonumber(v[8] or 0),
    hold = tonumber(v[9] or 0), suspects = tonumber(v[10] or 0),
    tat = { minute = tonumber(v[11] or 0), hour = tonumber(v[12] or 0) }, turn = v[13],
  }
  L.paused = math.max(L.rest, L.stop)
end

local function put(field, value)
  changed = changed or {}
  changed[field] = value
end

-- The next number of the lane: whatever has the smaller one was first.
local function next_seq()
  L.seq = L.seq + 1
  put('seq', L.seq)
  return text(L.seq)
end

-- A member of an ordered set that breaks ties of its score by a sequence number.
local function ranked(seq, member)
  return string.format('%010x:', tonumber(seq)) .. member
end

-- The outbox id in such a member; those of an older schema have none before it.
local function id_of(member)
  return string.match(member, '(out_[^:]+)')
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

-- The epoch under which an entry in flight was claimed.
local function epoch_of(claimant)
  return string.match(claimant, '^%d+')
end

-- The account that a session has: the number in its JID, '' while nobody is paired.
local function account_of(jid)
  return string.match(jid or '', '^(%d+)') or ''
end

-- What the budget says. Each window is a GCRA (see lane/budget.rs) whose theoretical arrival time the
-- lane keeps in µs; it is never more than one window and the largest send ahead of now, whatever was
-- written there. A send of more messages than a window allows goes when that window is untouched, and
-- what follows waits for as long as all of them cost.
local MOST_CELLS = 31
local WINDOWS = { { 'minute', 60e6 }, { 'hour', 3600e6 } }

-- One window at `micros`: what a send costs (µs; 0 = no limit), and the arrival time before it.
local function window_of(rate, length, arrival, micros)
  rate = tonumber(rate or 0)
  if rate == 0 then return 0, 0, 0 end
  local each = math.ceil(length / rate)
  local latest = micros + (rate + MOST_CELLS) * each
  return each, math.min(math.max(arrival, micros), latest), rate
end
