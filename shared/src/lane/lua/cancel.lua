-- Cancels an entry that still waits for its first attempt.
-- KEYS  1 partition root
-- ARGV  1 now (ms)  2 session  3 outbox id
-- Replies  {cancelled} | {not_found} | {in_flight} | {already_terminal, status}
local now, sid, id = ARGV[1], ARGV[2], ARGV[3]
local entry = load_entry(id)
if not entry or entry.session ~= sid then return { 'not_found' } end
-- What was attempted may be at the recipient, whatever became of the attempt.
if entry.status == 'sending' then return { 'in_flight' } end
if RANK[entry.status] >= RANK.sent then return { 'already_terminal', entry.status } end
load_lane(sid)
stop_waiting(entry)
move(entry, 'cancelled', now, '')
leave_chat(entry, false)
save_and_wake()
return { 'cancelled' }
