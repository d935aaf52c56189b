-- Why a send waits. Changes nothing.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 outbox id
-- Replies  {} it does not wait | {reason, until (ms, 0 = not known), detail}
--   scheduled                for its `sendAt`
--   session_not_connected    detail: the session's status
--   paused                   an operator paused the lane; detail: why
--   resting                  WhatsApp asked for a rest; detail: why
--   behind                   detail: the outbox id of what goes before it in its chat
--   new_chats_held           WhatsApp restricts writing to somebody new
--   retry                    after an attempt that failed
--   rate_limited             detail: the window
--   next                     nothing holds it: it is claimed as soon as its owner has room
local sid, id = ARGV[2], ARGV[3]
local now = tonumber((clock(ARGV[1])))
local entry = load_entry(id)
if not entry or entry.session ~= sid or RANK[entry.status] >= RANK.sent then return {} end
if redis.call('HEXISTS', K.flying(sid), id) == 1 then return {} end
load_lane(sid)
if entry.status == 'scheduled' then
  local at = redis.call('ZSCORE', K.scheduled(sid), ranked(entry.seq, id))
  return { 'scheduled', text(tonumber(at or entry.send_at)), '' }
end
local session = redis.call('HMGET', K.session(sid), 'status', 'ratePerMin', 'ratePerHour')
local lane = redis.call('HMGET', K.lane(sid), 'stopReason', 'pauseReason')
if L.stop > now then
  return { 'paused', text(L.stop >= NEVER and 0 or L.stop), lane[1] or '' }
end
if session[1] ~= 'working' and not (L.rest > now) then
  return { 'session_not_connected', '0', session[1] or '' }
end
if L.rest > now then return { 'resting', text(L.rest), lane[2] or '' } end

local list = K.chat(sid, entry.chat)
local place = redis.call('LPOS', list, entry.seq .. ':' .. id)
for before = (place or 0) - 1, math.max(0, (place or 0) - 1000), -1 do
  local seq, other = string.match(redis.call('LINDEX', list, before), '^(%d+):(.+)$')
  local first = load_entry(other)
  -- What ended, or was retried and so has another place, holds nobody up.
  if first and RANK[first.status] < RANK.sent and first.seq == seq then
    return { 'behind', '0', other }
  end
end
local delayed = redis.call('ZSCORE', K.delayed(sid), entry.chat)
if delayed and tonumber(delayed) > now then
  local held = L.hold > now and tonumber(delayed) == L.hold
  return { held and 'new_chats_held' or 'retry', text(tonumber(delayed)), '' }
end
if L.hold > now and is_person(entry.chat) and not redis.call('ZSCORE', K.known(sid), entry.chat) then
  return { 'new_chats_held', text(L.hold), '' }
end
local longest, window = 0, nil
for n, length in ipairs(WINDOWS) do
  local each, arrival, rate = window_of(session[1 + n], length[2], L.tat[length[1]], now * 1000)
  local cells = math.min(1 + #(entry.parts or {}), rate)
  local wait = each > 0 and arrival + (cells - rate) * each - now * 1000 or 0
  if wait > longest then longest, window = wait, length[1] end
end
if longest > 0 then return { 'rate_limited', text(now + math.ceil(longest / 1000)), window } end
return { 'next', '0', '' }
