-- Takes away the events that retention is done with, where nobody emits any more.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)
-- Replies  nothing
if redis.call('EXISTS', K.events()) == 1 then
  local oldest = tonumber((clock(ARGV[1]))) - EVENT_RETENTION
  redis.call('XTRIM', K.events(), 'MINID', '~', string.format('%.0f', oldest))
end
return false
