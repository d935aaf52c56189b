-- Accepts many sends of one organization in one step, in their order. accept.lua stands before this
-- as `accept(ARGV)`, so each is decided exactly as it would be alone.
-- KEYS  1 partition root
-- ARGV  for each send the arguments of accept.lua
-- Replies  for each send the reply of accept.lua
local EACH = 20
local replies = {}
for first = 1, #ARGV, EACH do
  stirred, sooner = false, false
  replies[#replies + 1] = accept({ unpack(ARGV, first, first + EACH - 1) })
end
return replies
