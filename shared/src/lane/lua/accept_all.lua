-- Accepts many sends of one organization in one step, in their order. accept.lua stands before this
-- as `accept(ARGV)`, so each is decided exactly as it would be alone.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  then for each send the other arguments of accept.lua
-- Replies  for each send the reply of accept.lua
local EACH = 5
if #ARGV > 1 + EACH * MOST_AT_ONCE then return redis.error_reply('too many sends at once') end
local replies = {}
for first = 2, #ARGV, EACH do
  stirred, sooner = false, false
  replies[#replies + 1] = accept({ ARGV[1], unpack(ARGV, first, first + EACH - 1) })
end
return replies
