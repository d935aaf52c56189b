-- Ends everything in a lane, because its session logged out or was deleted. Also what is in
-- flight: the attempt that is under way has lost its device.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 error (JSON)  4 greatest number of entries
--       5 epoch
-- Replies  number of entries looked at; call again until 0. -1: the epoch is stale
local now, sid, err, most = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
if not owns(sid, ARGV[5]) then return -1 end
load_lane(sid)
local looked_at = 0
for _, id in ipairs(redis.call('HKEYS', K.flying(sid))) do
  redis.call('HDEL', K.flying(sid), id)
  local entry = load_entry(id)
  if entry then dead_letter(entry, now, err, true) end
  looked_at = looked_at + 1
end
for _, id in ipairs(redis.call('ZRANGE', K.expiring(sid), 0, most - 1)) do
  local entry = load_entry(id)
  if entry and RANK[entry.status] < RANK.sent then
    dead_letter(entry, now, err, false)
  else
    redis.call('ZREM', K.expiring(sid), id)
  end
  looked_at = looked_at + 1
end
save_lane()
return looked_at
