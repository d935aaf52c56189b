-- Has a worker woken by the next event of the organization, unless there is one already.
-- KEYS  1 partition root
-- ARGV  1 worker  2 the place it has read up to
-- Replies  {more} | {waiting}
local function parts(place)
  local millis, sequence = string.match(place, '^(%d+)-(%d+)$')
  return tonumber(millis), tonumber(sequence)
end
local millis, sequence = parts(last_event())
local read_millis, read_sequence = parts(ARGV[2])
if millis > read_millis or (millis == read_millis and sequence > read_sequence) then
  return { 'more' }
end
redis.call('SADD', K.listeners(), ARGV[1])
return { 'waiting' }
