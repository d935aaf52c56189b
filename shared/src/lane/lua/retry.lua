-- Queues a failed entry once more, at the end of its chat, under the WhatsApp message id it has: a
-- new try, whose statuses begin with `queued`. The account stays the one it was accepted for.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 outbox id  4 time to live (ms)
--       5 greatest depth of a lane  6 the request: a repeat of it answers the same
-- Replies  {queued} | {not_found} | {not_failed, status} | {lane_full, depth}
--   {logged_out, session status} | {account_changed}
local sid, id, request = ARGV[2], ARGV[3], ARGV[6]
local now = clock(ARGV[1])
local entry = load_entry(id)
if not entry or entry.session ~= sid then return { 'not_found' } end
if entry.request == request then return { 'queued' } end
if entry.status ~= 'failed' then return { 'not_failed', entry.status } end
local session = redis.call('HMGET', K.session(sid), 'status', 'waJid', 'logout')
local account = session[3] ~= '1' and account_of(session[2]) or ''
if account == '' then return { 'logged_out', session[1] or '' } end
if entry.account and entry.account ~= account then return { 'account_changed' } end
load_lane(sid)
if L.depth >= tonumber(ARGV[5]) then return { 'lane_full', text(L.depth) } end
entry.expires, entry.urgent, entry.attempts = text(tonumber(now) + tonumber(ARGV[4])), false, 0
redis.call('HSET', K.outbox(id), 'expiry', entry.expires, 'request', request)
redis.call('HDEL', K.outbox(id), 'attempts', 'error', 'urgent')
redis.call('PERSIST', K.outbox(id))
redis.call('ZREM', K.dead(sid), id)
wait_for_expiry(entry)
count_waiting(entry, 1)
move(entry, 'queued', now, '')
place_last(entry)
save_and_wake()
return { 'queued' }
