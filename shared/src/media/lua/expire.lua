-- Forgets files that nobody needs any more, and lists objects that are to be removed: theirs, those
-- whose writer fell silent, and those that an earlier call listed and nobody removed.
-- KEYS  1 partition root
-- ARGV  1 greatest number of each
-- Replies  the names of objects
local now = redis.call('TIME')
now = string.format('%.0f', tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000))
local due = redis.call('ZRANGEBYSCORE', K.media_needed(), '-inf', now, 'LIMIT', 0, ARGV[1])
for _, sha in ipairs(due) do
  local record = redis.call('GET', K.media_file(sha))
  if record then
    local file = cjson.decode(record)
    redis.call('DECRBY', K.media_used(), string.format('%.0f', file.size))
    redis.call('ZADD', K.media_objects(), 0, file.object)
    redis.call('DEL', K.media_file(sha))
  end
  redis.call('ZREM', K.media_needed(), sha)
end
return redis.call('ZRANGEBYSCORE', K.media_objects(), '-inf', now, 'LIMIT', 0, ARGV[1])
