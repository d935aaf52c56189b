-- Removes the record of a deleted session and tells that it is gone; its lane has been abandoned and
-- its keys erased. What became of its sends stays readable for their retention.
-- KEYS  1 partition root
-- ARGV  1 session  2 epoch  3 the caller's clock (ms)
-- Replies  {stale} | {removed}
local sid = ARGV[1]
if not owns(sid, ARGV[2]) then return { 'stale' } end
set_status(sid, (clock(ARGV[3])), 'deleted', '')
redis.call('PEXPIRE', K.outbox_index(sid), OUTBOX_RETENTION)
local page = tonumber(redis.call('HGET', K.lane(sid), 'page') or 0)
for old = math.max(1, page - MESSAGE_PAGES + 1), page do
  redis.call('UNLINK', K.messages(sid, old))
end
redis.call('DEL', K.session(sid), K.lane(sid), K.ready(sid), K.delayed(sid), K.scheduled(sid),
  K.expiring(sid), K.flying(sid), K.urgent(sid), K.by_wa_id(sid), K.dead(sid),
  K.inbound(sid), K.names(sid), K.channels(sid), K.timers(sid), K.known(sid), K.suspects(sid))
return { 'removed' }
