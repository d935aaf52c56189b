-- Makes room for an object that is being written, or more of it, and says that it is alive.
-- KEYS  1 partition root
-- ARGV  1 object  2 bytes it has and may get  3 quota (bytes)  4 how long it may stay silent (ms)
--       5 first call: 1 | 0
-- Replies  {ok} | {full, used} | {late}  it was silent for too long and is being removed
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local object, wanted = ARGV[1], tonumber(ARGV[2])
if ARGV[5] == '0' then
  local until_ = redis.call('ZSCORE', K.media_objects(), object)
  if not until_ or tonumber(until_) <= now then return { 'late' } end
end
local had = tonumber(redis.call('HGET', K.media_reserved(), object) or 0)
local used = tonumber(redis.call('GET', K.media_used()) or 0)
if wanted > had then
  if used + wanted - had > tonumber(ARGV[3]) then return { 'full', string.format('%.0f', used) } end
  redis.call('INCRBY', K.media_used(), string.format('%.0f', wanted - had))
  redis.call('HSET', K.media_reserved(), object, string.format('%.0f', wanted))
end
redis.call('ZADD', K.media_objects(), string.format('%.0f', now + tonumber(ARGV[4])), object)
return { 'ok' }
