-- Reads the mapping a phone number has at present, in one step.
--
-- KEYS  1  phone numbers (hash)
--       2  LIDs (hash)
-- ARGV  1  phone number
--
-- Replies: the mapping's record, or nil

local lid = redis.call('HGET', KEYS[1], ARGV[1])
return lid and redis.call('HGET', KEYS[2], lid)
