-- A former owner says that it lives: it was cut off from Redis, and no message killed it. Whatever
-- it had in flight is acquitted of that.
-- KEYS  1 partition root
-- ARGV  1 session  2 the epoch under which it owned the session
-- Replies  number of entries acquitted
local sid, epoch = ARGV[1], ARGV[2]
load_lane(sid)
local record = redis.call('HMGET', K.session(sid), 'epoch', 'parted')
if not record[1] then return 0 end
-- For the recovery that is still to come. With a new owner and nothing left to recover none is, and
-- a former owner changes nothing.
local to_come = record[1] == epoch
for _, owner in ipairs(redis.call('HVALS', K.flying(sid))) do
  to_come = to_come or epoch_of(owner) == epoch
end
if to_come and tonumber(record[2] or 0) < tonumber(epoch) then
  redis.call('HSET', K.session(sid), 'parted', epoch)
end
local acquitted = 0
if L.suspects == 0 then return 0 end
local suspects = redis.call('HGETALL', K.suspects(sid))
for i = 1, #suspects, 2 do
  local left, found = {}, false
  for owner in string.gmatch(suspects[i + 1], '%S+') do
    if owner == epoch then found = true else left[#left + 1] = owner end
  end
  if found and #left == 0 then
    clear_crashes(suspects[i])
  elseif found then
    redis.call('HSET', K.suspects(sid), suspects[i], table.concat(left, ' '))
  end
  if found then acquitted = acquitted + 1 end
end
save_lane()
return acquitted
