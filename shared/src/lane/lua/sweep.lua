-- Ends what waited past its time in a lane that may have no owner, and takes away what retention is
-- done with where nobody comes by any more. Needs no epoch: it only touches entries that are not in
-- flight.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 greatest number of entries
--       4 memory of inbound messages (ms)
-- Replies  number of entries looked at
local sid, most = ARGV[2], tonumber(ARGV[3])
local now = clock(ARGV[1])
if most > MOST_AT_ONCE then return redis.error_reply('too many entries at once') end
load_lane(sid)
local looked_at = 0
if tonumber(now) >= L.due then
  looked_at = expire_due(now, most)
  look_for_due()
end
looked_at = looked_at + trim_outbox(now, most)
redis.call('ZREMRANGEBYSCORE', K.inbound(sid), '-inf', text(tonumber(now) - tonumber(ARGV[4])))
save_and_wake()
return looked_at
