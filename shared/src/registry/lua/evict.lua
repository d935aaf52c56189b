-- Declares dead the workers that gave no sign of life for too long, and frees their sessions. A
-- buried worker's later heartbeat is refused, so it can not come back under the same id.
-- KEYS  1 global root
-- ARGV  1 the caller's clock (ms)  2 how long a worker may be silent (ms)  3 a worker that leaves ('' = none)
-- Replies  the buried workers
local buried = redis.call('ZRANGEBYSCORE', K.workers(), '-inf',
  string.format('(%.0f', tonumber((clock(ARGV[1]))) - tonumber(ARGV[2])))
if ARGV[3] ~= '' then buried = { ARGV[3] } end
for _, worker in ipairs(buried) do
  redis.call('ZREM', K.workers(), worker)
  for _, member in ipairs(redis.call('SMEMBERS', K.owned(worker))) do
    redis.call('SADD', K.free(), member)
  end
  redis.call('DEL', K.owned(worker), K.worker(worker))
end
return buried
