-- Pauses a lane until a moment, or lets it go on. An owner's rest and an operator's pause are kept
-- apart: the lane rests until both are over. An owner may also hold new chats alone, those never
-- written to. A rest is only ever made longer by an owner; only the operator can end it early.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch ('' = asked by an operator, not fenced)
--       4 scope: all | new_chats  5 until (ms by the caller's clock, 0 = go on)  6 reason
--       7 the operator's request: a repeat of it changes nothing ('' = an owner's rest)
-- Replies  {stale} | {not_found} | {paused}
local sid, epoch, scope, till, reason = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local now, shift = clock(ARGV[1])
if epoch ~= '' and not owns(sid, epoch) then return { 'stale' } end
load_lane(sid)
if till > 0 and till < NEVER then till = till + shift end
if epoch ~= '' then
  till = math.min(till, tonumber(now) + LONGEST_DELAY)
  local field, known = 'pausedUntil', L.rest
  if scope == 'new_chats' then field, known = 'newChatsUntil', L.hold end
  if till > known then
    put(field, till)
    put(scope == 'new_chats' and 'newChatsReason' or 'pauseReason', reason)
    save_lane()
  end
  return { 'paused' }
end

local session = redis.call('HMGET', K.session(sid), 'status', 'waJid', 'waLid', 'desired')
if not session[1] or session[4] == 'deleted' then return { 'not_found' } end
if redis.call('HGET', K.lane(sid), 'request') == ARGV[7] then return { 'paused' } end
put('request', ARGV[7])
put('stoppedUntil', till)
put('stopReason', reason)
if till == 0 then
  put('pausedUntil', 0)
  put('newChatsUntil', 0)
  if L.hold > 0 then
    -- What was put off until the end of the hold goes on at once.
    local chats = redis.call('ZRANGEBYSCORE', K.delayed(sid), text(L.hold), text(L.hold))
    for _, chat in ipairs(chats) do end_delay(chat) end
  end
end
wake()
save_lane()

local stopped = till ~= 0
redis.call('HSET', K.session(sid), 'paused', till >= NEVER and '1' or '', 'updatedAt', now)
local function json_or_null(value)
  if value and value ~= '' then return cjson.encode(value) end
  return 'null'
end
emit('session.status', sid, now, '{"status":"' .. session[1] .. '","waJid":'
  .. json_or_null(session[2]) .. ',"waLid":' .. json_or_null(session[3]) .. ',"reason":'
  .. json_or_null(reason) .. ',"paused":' .. tostring(stopped) .. ',"timestamp":' .. now .. '}')
return { 'paused' }
