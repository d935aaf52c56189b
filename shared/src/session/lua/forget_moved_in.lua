-- Forgets where a device moved in, if it is what the caller believes.
-- KEYS  1 root of the installation
-- ARGV  1 hash of the device's keys  2 `organization/session`
-- Replies  how many entries were removed
if redis.call('HGET', K.moved_in(), ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', K.moved_in(), ARGV[1])
