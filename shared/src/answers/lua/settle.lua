-- Keeps the answer of what was done for an idempotency key, or forgets that it was begun.
-- KEYS  1 partition root
-- ARGV  1 sha256 of the key   2 token of the attempt   3 how long to keep the answer (ms)
--       4 HTTP status ('' = forget)                    5 body
-- Replies
--   1 done   0 another attempt has taken over
local hash, token = ARGV[1], ARGV[2]
if redis.call('HGET', K.answer(hash), 'token') ~= token then return 0 end
if ARGV[4] == '' then
  redis.call('DEL', K.answer(hash), K.idempotency(hash))
  return 1
end
redis.call('HSET', K.answer(hash), 'status', ARGV[4], 'body', ARGV[5])
redis.call('PEXPIRE', K.answer(hash), ARGV[3])
redis.call('PEXPIRE', K.idempotency(hash), ARGV[3])
return 1
