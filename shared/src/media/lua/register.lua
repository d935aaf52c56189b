-- A whole object becomes the file of its content, unless there is one already.
-- KEYS  1 partition root
-- ARGV  1 object  2 sha256 (hex)  3 size (bytes)  4 record of the file (JSON)  5 quota (bytes)
--       6 how long the file is needed from now on (ms)
--       7 id of a name for it ('' = none)  8 that name without its times (JSON)
-- Replies
--   {stored, now, until}
--   {known, now, until, record}  another object has this content: this one is to be removed
--   {full, used}
--   {late}                the object was silent for too long and is being removed
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local object, sha = ARGV[1], ARGV[2]
local till = now + tonumber(ARGV[6])

local function name_it()
  redis.call('ZADD', K.media_needed(), 'GT', string.format('%.0f', till), sha)
  if ARGV[7] ~= '' then
    local times = string.format(',"createdAt":%.0f,"expiresAt":%.0f}', now, till)
    redis.call('SET', K.media(ARGV[7]), string.sub(ARGV[8], 1, -2) .. times,
      'PXAT', string.format('%.0f', till))
  end
end

local known = redis.call('GET', K.media_file(sha))
-- Asked once more: the answer is the first one.
if known and cjson.decode(known).object == object then
  name_it()
  return { 'stored', string.format('%.0f', now), string.format('%.0f', till) }
end
local had = tonumber(redis.call('HGET', K.media_reserved(), object) or 0)
if known then
  name_it()
  -- What it took is given back; the object stays listed until it is removed.
  redis.call('DECRBY', K.media_used(), string.format('%.0f', had))
  redis.call('HDEL', K.media_reserved(), object)
  redis.call('ZADD', K.media_objects(), 0, object)
  return { 'known', string.format('%.0f', now), string.format('%.0f', till), known }
end
local alive = redis.call('ZSCORE', K.media_objects(), object)
if not alive or tonumber(alive) <= now then return { 'late' } end
local used = tonumber(redis.call('GET', K.media_used()) or 0)
if used - had + tonumber(ARGV[3]) > tonumber(ARGV[5]) then
  return { 'full', string.format('%.0f', used) }
end
redis.call('INCRBY', K.media_used(), string.format('%.0f', tonumber(ARGV[3]) - had))
redis.call('HDEL', K.media_reserved(), object)
redis.call('ZREM', K.media_objects(), object)
redis.call('SET', K.media_file(sha), ARGV[4])
name_it()
return { 'stored', string.format('%.0f', now), string.format('%.0f', till) }
