-- Which installation lives here, and of which schema; makes one where there is none.
-- KEYS  1 global root
-- ARGV  1 the caller's clock (ms)  2 the id of an installation to make ('' = make none)
--       3 the schema version that the caller knows
-- Replies  {none} | {found, id, schema version}
local key, known = K.installation(), tonumber(ARGV[3])
local v = redis.call('HMGET', key, 'id', 'schema')
if not v[1] then
  if ARGV[2] == '' then return { 'none' } end
  redis.call('HSET', key, 'id', ARGV[2], 'schema', ARGV[3], 'createdAt', (clock(ARGV[1])))
  return { 'found', ARGV[2], ARGV[3] }
end
-- An older schema: what 1 kept otherwise is brought up to date where it is met (lane/lua/entry.lua).
if tonumber(v[2]) < known then redis.call('HSET', key, 'schema', ARGV[3]) end
return { 'found', v[1], tostring(math.max(tonumber(v[2]), known)) }
