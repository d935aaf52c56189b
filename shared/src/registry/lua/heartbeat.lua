-- A worker's sign of life.
-- KEYS  1 global root
-- ARGV  1 the caller's clock (ms)  2 worker  3 join: 1 | 0  then fields and values of what it says of itself
-- Replies  {alive, workers, running sessions, an operator drains it: 1 | 0} | {buried}
local now, worker = (clock(ARGV[1])), ARGV[2]
if ARGV[3] == '0' and not redis.call('ZSCORE', K.workers(), worker) then return { 'buried' } end
redis.call('ZADD', K.workers(), now, worker)
redis.call('HSET', K.worker(worker), 'heartbeatAt', now, unpack(ARGV, 4))
return { 'alive', redis.call('ZCARD', K.workers()), redis.call('SCARD', K.running()),
  redis.call('HEXISTS', K.worker(worker), 'drain') }
