-- Keeps what an upload gave with the send that it is for.
-- KEYS  1 partition root
-- ARGV  1 session  2 epoch  3 outbox id  4 place of the file in the send  5 what it gave (sealed, base64: the record is read as text)
-- Replies  {stale} | {gone} | {kept}
if not owns(ARGV[1], ARGV[2]) then return { 'stale' } end
local key = K.outbox(ARGV[3])
if redis.call('EXISTS', key) == 0 then return { 'gone' } end
redis.call('HSET', key, 'upload' .. ARGV[4], ARGV[5])
return { 'kept' }
