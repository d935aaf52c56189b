-- Begins what is to be done once for an idempotency key, unless it was begun before.
-- Repeating it with the same token changes nothing, so a client library may.
-- KEYS  1 partition root
-- ARGV  1 sha256 of the key   2 fingerprint of the request   3 token of this attempt
--       4 for how long it counts as under way (ms)
-- Replies
--   {begun}
--   {under_way}
--   {answered, HTTP status, body}
--   {key_reused}
local hash, fingerprint, token, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local v = redis.call('HMGET', K.answer(hash), 'fingerprint', 'token', 'status', 'body')
if v[1] then
  if v[1] ~= fingerprint then return { 'key_reused' } end
  if v[3] then return { 'answered', v[3], v[4] } end
  if v[2] == token then return { 'begun' } end
  return { 'under_way' }
end
-- The key of a send is no other request's.
if redis.call('EXISTS', K.idempotency(hash)) == 1 then return { 'key_reused' } end
redis.call('HSET', K.answer(hash), 'fingerprint', fingerprint, 'token', token)
redis.call('PEXPIRE', K.answer(hash), lease)
-- And the other way round: acceptance finds a record of another request, of no send.
redis.call('SET', K.idempotency(hash), fingerprint .. ' ' .. NO_SEND, 'PX', lease)
return { 'begun' }
