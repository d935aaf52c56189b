-- A file is needed for longer.
-- KEYS  1 partition root
-- ARGV  1 sha256 (hex)  2 until when (ms; 0 = as it is)
--       3 how long from now on (ms), where that is later
-- Replies  {held, record} | {unknown}
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local record = redis.call('GET', K.media_file(ARGV[1]))
if not record then return { 'unknown' } end
local till = math.max(tonumber(ARGV[2]), now + tonumber(ARGV[3]))
redis.call('ZADD', K.media_needed(), 'GT', string.format('%.0f', till), ARGV[1])
return { 'held', record }
