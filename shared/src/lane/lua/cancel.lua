-- Cancels an entry that still waits for its first attempt. Its content is of no more use.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 outbox id  4 the request: a repeat of it answers the same
--       5 sha256 of the idempotency key of the request ('' = none)  6 its fingerprint
--       7 idempotency retention (ms)
-- Replies  {cancelled} | {not_found} | {in_flight} | {already_terminal, status}
local sid, id, request = ARGV[2], ARGV[3], ARGV[4]
local now = clock(ARGV[1])
local entry = load_entry(id)
if not entry or entry.session ~= sid then return { 'not_found' } end
if entry.request == request and entry.status == 'cancelled' then return { 'cancelled' } end
-- What was attempted may be at the recipient, whatever became of the attempt.
if entry.status == 'sending' then return { 'in_flight' } end
if RANK[entry.status] >= RANK.sent then return { 'already_terminal', entry.status } end
load_lane(sid)
redis.call('HSET', K.outbox(id), 'request', request)
redis.call('HDEL', K.outbox(id), 'body')
if ARGV[5] ~= '' then
  redis.call('SET', K.idempotency(ARGV[5]), ARGV[6] .. ' ' .. id, 'PX', ARGV[7])
end
stop_waiting(entry)
move(entry, 'cancelled', now, '')
leave_chat(entry, false)
save_and_wake()
return { 'cancelled' }
