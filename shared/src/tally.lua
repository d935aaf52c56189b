-- Adds to the counters of the present minute. A slot of the ring that still holds the hour before begins
-- anew.
-- KEYS  1 global root
-- ARGV  1 the caller's clock (ms)  then names and counts
-- Replies  the minute
local minute = math.floor(tonumber((clock(ARGV[1]))) / 60000)
for n = 2, #ARGV, 2 do
  local slot = (minute % 60) .. ':' .. ARGV[n]
  local of, count = string.match(redis.call('HGET', K.minutes(), slot) or '', '^(%d+) (%d+)$')
  local before = tonumber(of) == minute and tonumber(count) or 0
  redis.call('HSET', K.minutes(), slot, string.format('%d %d', minute, before + tonumber(ARGV[n + 1])))
end
return minute
