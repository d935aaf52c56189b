-- Returns to their places the claims that nobody works on: those of an earlier owner after a
-- take-over, or those whose answer was lost. The attempts are not counted.
--
-- An earlier owner that vanished with a message in flight may have been killed by it. So many
-- owners in a row, and the message is a dead letter; from the second on it is held back for a while,
-- so that it meets the next owner alone. An owner that parted in order, or that says that it lives
-- (survived.lua), is no witness.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 greatest number of owners that may vanish with a message
--       5 first pause (ms)  6 longest pause (ms)  7 random number 0..1
--       then the outbox ids the caller is working on
-- Replies  {stale} or {recovered, number, minute arrival time (µs), hour arrival time (µs),
--          number of dead letters}
local sid, epoch, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
if not owns(sid, epoch) then return { 'stale' } end
local now = clock(ARGV[1])
load_lane(sid)
local parted = redis.call('HGET', K.session(sid), 'parted')
local busy = {}
for i = 8, #ARGV do busy[ARGV[i]] = true end

-- Notes an owner that vanished with an entry in flight; how many did so in a row.
local function count_crash(id, owner)
  local known = redis.call('HGET', K.suspects(sid), id)
  redis.call('HSET', K.suspects(sid), id, known and known .. ' ' .. owner or owner)
  if not known then
    L.suspects = L.suspects + 1
    put('suspects', L.suspects)
  end
  local _, spaces = string.gsub(known or '', ' ', '')
  return known and spaces + 2 or 1
end

-- How long an entry rests; entries that vanished together do not come back together.
local function pause(entry, vanished)
  local full = math.min(tonumber(ARGV[5]) * 2 ^ (vanished - 2), tonumber(ARGV[6]))
  local chance = (tonumber(entry.seq) * 0.618034 + tonumber(ARGV[7])) % 1
  return math.floor(full * (0.5 + chance))
end

local recovered, dead = 0, 0
local flying = redis.call('HGETALL', K.flying(sid))
for i = 1, #flying, 2 do
  local id, owner = flying[i], epoch_of(flying[i + 1])
  local entry = not busy[id] and load_entry(id)
  if not busy[id] then redis.call('HDEL', K.flying(sid), id) end
  if entry then
    entry.attempts = entry.attempts - 1
    redis.call('HSET', K.outbox(id), 'attempts', entry.attempts)
    local vanished = 0
    -- An earlier owner may have put it on the wire; what this one was never given it has not.
    if owner ~= epoch then doubt(entry) end
    if owner ~= epoch and owner ~= parted then vanished = count_crash(id, owner) end
    if vanished >= most then
      dead_letter(entry, now, given_up(entry, 'worker_crashed',
        vanished .. ' workers in a row died while they attempted it'), true)
      dead = dead + 1
    else
      wait_again(entry)
      if vanished > 1 then
        put_off(entry.chat, tonumber(now) + pause(entry, vanished))
      else
        make_ready(entry.chat, entry.seq)
      end
    end
    recovered = recovered + 1
  end
end
save_lane()
return { 'recovered', recovered, text(L.tat.minute), text(L.tat.hour), dead }
