-- Queues a failed entry once more, at the end of its chat, under the WhatsApp message id it has: a
-- new try, whose statuses begin with `queued`.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 outbox id  4 expires at (ms)  5 greatest depth of a lane
-- Replies  {queued} | {not_found} | {not_failed, status} | {lane_full, depth}
local now, sid, id = ARGV[1], ARGV[2], ARGV[3]
local entry = load_entry(id)
if not entry or entry.session ~= sid then return { 'not_found' } end
if entry.status ~= 'failed' then return { 'not_failed', entry.status } end
load_lane(sid)
if L.depth >= tonumber(ARGV[5]) then return { 'lane_full', text(L.depth) } end
L.seq = L.seq + 1
put('seq', L.seq)
entry.seq, entry.urgent, entry.expires, entry.attempts = text(L.seq), '0', ARGV[4], 0
local before, after = string.match(entry.fix, '^%S+ %S+ (%S+ %S+ %S+ %S+ %S+ %S+) %S+ (.*)$')
local fix = entry.seq .. ' 0 ' .. before .. ' ' .. entry.expires .. ' ' .. after
redis.call('HSET', K.outbox(id), 'fix', fix)
redis.call('HDEL', K.outbox(id), 'attempts', 'error')
redis.call('PERSIST', K.outbox(id))
redis.call('ZREM', K.dead(sid), id)
redis.call('ZADD', K.expiring(sid), entry.expires, id)
falls_due(tonumber(entry.expires))
count_waiting(entry, 1)
move(entry, 'queued', now, '')
enqueue(entry)
save_and_wake()
return { 'queued' }
