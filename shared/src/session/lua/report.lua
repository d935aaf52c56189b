-- What the owner of a session observed: fields, then a status, then an event.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 status ('' = unchanged)  5 reason
--       6 event kind ('' = none)  7 event payload (JSON)  then fields and values
-- Replies  {stale} | {reported}
local now, sid = (clock(ARGV[1])), ARGV[2]
local key = K.session(sid)
if not owns(sid, ARGV[3]) then return { 'stale' } end
for i = 8, #ARGV, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
if ARGV[4] ~= '' then set_status(sid, now, ARGV[4], ARGV[5]) end
if ARGV[6] ~= '' then emit(ARGV[6], sid, now, ARGV[7]) end
return { 'reported' }
