-- Gives a session up.
-- KEYS  1 partition root
-- ARGV  1 session  2 epoch
-- Replies  {stale} | {released, desired}
local key = K.session(ARGV[1])
if not owns(ARGV[1], ARGV[2]) then return { 'stale' } end
-- What it may have left in flight was not lost in a crash.
redis.call('HSET', key, 'worker', '', 'parted', ARGV[2])
return { 'released', redis.call('HGET', key, 'desired') }
