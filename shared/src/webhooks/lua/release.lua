-- Gives a webhook up, so that another worker may own it at once.
-- KEYS  1 partition root
-- ARGV  1 webhook  2 epoch
-- Replies  {released} | {stale}
if not owns_webhook(ARGV[1], ARGV[2]) then return { 'stale' } end
redis.call('HSET', K.webhook(ARGV[1]), 'owner', '')
return { 'released' }
