-- An object is gone; what was reserved for it is free.
-- KEYS  1 partition root
-- ARGV  1 object
-- Replies  {removed}
local had = tonumber(redis.call('HGET', K.media_reserved(), ARGV[1]) or 0)
if had > 0 then
  redis.call('DECRBY', K.media_used(), string.format('%.0f', had))
  redis.call('HDEL', K.media_reserved(), ARGV[1])
end
redis.call('ZREM', K.media_objects(), ARGV[1])
return { 'removed' }
