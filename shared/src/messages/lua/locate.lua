-- Finds the message that an operation is about.
-- KEYS  1 partition root
-- ARGV  1 session  2 message id  3 chat JID ('' = any)
--       4 sha256 of the operation's idempotency key ('' = none)
--       5 with the whole content, as far as it is kept: 1 | 0
-- Replies
--   {session_not_found}
--   {key_known}  the key was used before: what counts is what it was used for
--   {unknown}
--   {formers}  it is of a number that was paired with this session before
--   {found, record (JSON), status history of our send ('' = not ours, or taken by retention),
--    its outbox id, whether a send that failed may have arrived all the same: 1 | 0,
--    the body of our send, or of our edit of it, or the payload of the event that told it, or its
--    edit (JSON; '' = not asked for, or not kept),
--    our number's JID, our LID}
local sid, id, idem = ARGV[1], ARGV[2], ARGV[4]
local session = redis.call('HMGET', K.session(sid), 'status', 'desired', 'waJid', 'waLid')
if not session[1] or session[2] == 'deleted' then return { 'session_not_found' } end
if idem ~= '' and redis.call('EXISTS', K.idempotency(idem)) == 1 then return { 'key_known' } end

local record, message, formers = recall(sid, id, ARGV[3])
if not record then return { formers and 'formers' or 'unknown' } end
-- Who is meant by either name is learnt at times after the message was.
local function with_other_name(field, known, name)
  local other = name and not known and other_name(sid, name)
  if other then
    record = string.sub(record, 1, -2) .. ',"' .. field .. '":' .. cjson.encode(other) .. '}'
  end
end
with_other_name('a', message.a, message.c)
with_other_name('b', message.b, message.s)
local hist, unsure, content = '', '', ''
local out = not message.s and not message.d and redis.call('HGET', K.by_wa_id(sid), id)
if out then
  local v = redis.call('HMGET', K.outbox(out), 'hist', 'unsure')
  hist, unsure = v[1] or '', v[2] or ''
end
if ARGV[5] == '1' then
  local body = message.o or out
  if message.e then
    local emitted = redis.call('XRANGE', K.events(), message.e, message.e)[1]
    local fields = emitted and emitted[2] or {}
    for i = 1, #fields, 2 do
      if fields[i] == 'payload' then content = fields[i + 1] end
    end
  elseif body then
    content = redis.call('HGET', K.outbox(body), 'body') or ''
  end
end
return {
  'found', record, hist, out or '', unsure == '1' and '1' or '0', content, session[3] or '',
  session[4] or '',
}
