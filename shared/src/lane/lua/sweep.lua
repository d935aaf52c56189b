-- Ends what waited past its time in a lane that may have no owner. Needs no epoch: it only
-- touches entries that are not in flight.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 greatest number of entries
-- Replies  number of entries looked at
load_lane(ARGV[2])
if tonumber(ARGV[1]) < L.due then return 0 end
local looked_at = expire_due(ARGV[1], tonumber(ARGV[3]))
look_for_due()
save_and_wake()
return looked_at
