-- Tells inbound messages, each once: the event and the memory of it are one step (law 7).
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 memory of messages told (ms)
--       then six for each: identity (chat|sender|id), event kind ('' = only remember it), payload
--       (JSON), message id,
--       record for the message index (JSON; '' = none), what it changes there (JSON; '' = nothing)
-- Replies  {stale} | {told, number of messages that were new}
local now, sid = (clock(ARGV[1])), ARGV[2]
if not owns(sid, ARGV[3]) then return { 'stale' } end
local seen, emitted, page, begun = K.inbound(sid), 0, nil, false
for i = 5, #ARGV, 6 do
  if redis.call('ZADD', seen, 'NX', now, ARGV[i]) == 1 and ARGV[i + 1] ~= '' then
    local place = emit(ARGV[i + 1], sid, now, ARGV[i + 2])
    local record = ARGV[i + 4]
    if record ~= '' then
      if not page then page, begun = open_page(sid, now) end
      record = string.sub(record, 1, -2) .. ',"e":"' .. place .. '"}'
      remember(sid, page, begun, ARGV[i + 3], record)
      begun = false
    end
    if ARGV[i + 5] ~= '' then amend(sid, ARGV[i + 5], 'e', place) end
    emitted = emitted + 1
  end
end
redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('%.0f', tonumber(now) - tonumber(ARGV[4])))
return { 'emitted', emitted }
