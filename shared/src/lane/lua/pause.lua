-- Pauses a lane until a moment, or lets it go on. An owner's rest and an operator's pause are kept
-- apart: the lane rests until both are over. An owner may also hold new chats alone, those never
-- written to. Only the operator can end all of it early.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 epoch ('' = an operator's wish, not fenced)
--       4 scope: all | new_chats  5 until (ms, 0 = go on)  6 reason
-- Replies  {stale} | {not_found} | {paused}
local now, sid, epoch, scope, till, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if epoch ~= '' and not owns(sid, epoch) then return { 'stale' } end
load_lane(sid)
if epoch ~= '' then
  put(scope == 'new_chats' and 'newChatsUntil' or 'pausedUntil', till)
  put(scope == 'new_chats' and 'newChatsReason' or 'pauseReason', reason)
  save_lane()
  return { 'paused' }
end

local session = redis.call('HMGET', K.session(sid), 'status', 'waJid', 'waLid', 'desired')
if not session[1] or session[4] == 'deleted' then return { 'not_found' } end
put('stoppedUntil', till)
put('stopReason', reason)
if till == '0' then
  put('pausedUntil', till)
  put('newChatsUntil', till)
  if L.hold > 0 then
    -- What was put off until the end of the hold goes on at once.
    local chats = redis.call('ZRANGEBYSCORE', K.delayed(sid), text(L.hold), text(L.hold))
    for _, chat in ipairs(chats) do
      redis.call('ZREM', K.delayed(sid), chat)
      local head = redis.call('LINDEX', K.chat(sid, chat), 0)
      if head then make_ready(chat, string.match(head, '^%d+')) end
    end
  end
end
wake()
save_lane()

local stopped = till ~= '0'
redis.call('HSET', K.session(sid), 'paused', tonumber(till) >= NEVER and '1' or '', 'updatedAt', now)
local function json_or_null(value)
  if value and value ~= '' then return cjson.encode(value) end
  return 'null'
end
emit('session.status', sid, now, '{"status":"' .. session[1] .. '","waJid":'
  .. json_or_null(session[2]) .. ',"waLid":' .. json_or_null(session[3]) .. ',"reason":'
  .. json_or_null(reason) .. ',"paused":' .. tostring(stopped) .. ',"timestamp":' .. now .. '}')
return { 'paused' }
