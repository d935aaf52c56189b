-- Learns which number and which LID are one person, and makes one chat of what waits under both.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  then two for each person: number JID, LID JID
-- Replies  {stale} | {learnt, number of mappings that were new}
local sid = ARGV[2]
if not owns(sid, ARGV[3]) then return { 'stale' } end
if #ARGV > 3 + 2 * MOST_AT_ONCE then return redis.error_reply('too many mappings at once') end
load_lane(sid)
local names = K.names(sid)

-- Whose lists what waits in them leaves; `target` says where a place goes. Each place keeps its number,
-- so the order of acceptance holds in the new list.
local function regroup(sources, target)
  local moved, delays, urgent = {}, {}, {}
  for _, chat in ipairs(sources) do
    local list = K.chat(sid, chat)
    local places = redis.call('LRANGE', list, 0, -1)
    local delay = redis.call('ZSCORE', K.delayed(sid), chat)
    if delay and places[1] then delays[places[1]] = tonumber(delay) end
    for _, place in ipairs(places) do moved[#moved + 1] = place end
    urgent[chat] = tonumber(redis.call('HGET', K.urgent(sid), chat) or 0)
    redis.call('UNLINK', list)
    redis.call('ZREM', K.ready(sid), chat)
    redis.call('ZREM', K.delayed(sid), chat)
    redis.call('HDEL', K.urgent(sid), chat)
  end
  local lists = target(moved, urgent)
  for chat, places in pairs(lists) do
    local numbers = {}
    for _, place in ipairs(places) do numbers[place] = tonumber(string.match(place, '^%d+')) end
    table.sort(places, function(a, b) return numbers[a] < numbers[b] end)
    for first = 1, #places, 1000 do
      redis.call('RPUSH', K.chat(sid, chat), unpack(places, first, math.min(first + 999, #places)))
    end
    local number, id = string.match(places[1], '^(%d+):(.+)$')
    -- What is in flight makes its chat go on by itself.
    if redis.call('HEXISTS', K.flying(sid), id) == 0 then
      local delay = delays[places[1]]
      if delay and delay ~= L.hold then put_off(chat, text(delay)) else make_ready(chat, number) end
    end
  end
end

-- All goes to one chat.
local function into(chat)
  return function(moved, urgent)
    local hurried = 0
    for _, count in pairs(urgent) do hurried = hurried + count end
    if hurried > 0 then redis.call('HSET', K.urgent(sid), chat, hurried) end
    return #moved > 0 and { [chat] = moved } or {}
  end
end

-- Each goes to the chat of its own name.
local function by_name(moved)
  local lists = {}
  for _, place in ipairs(moved) do
    local seq, id = string.match(place, '^(%d+):(.+)$')
    local entry = load_entry(id)
    if entry and RANK[entry.status] <= RANK.sending and entry.seq == seq then
      lists[entry.chat] = lists[entry.chat] or {}
      table.insert(lists[entry.chat], place)
      if entry.urgent and redis.call('HEXISTS', K.flying(sid), id) == 0 then
        redis.call('HINCRBY', K.urgent(sid), entry.chat, 1)
      end
    end
  end
  return lists
end

-- Chats written to are known by their keys.
local function know_as(number, lid)
  local known = redis.call('ZSCORE', K.known(sid), number)
  if not known then return end
  local latest = redis.call('ZSCORE', K.known(sid), lid)
  redis.call('ZREM', K.known(sid), number)
  if not latest or tonumber(latest) < tonumber(known) then
    redis.call('ZADD', K.known(sid), known, lid)
  end
end

local learnt = 0
for i = 4, #ARGV, 2 do
  local number, lid = ARGV[i], ARGV[i + 1]
  local v = redis.call('HMGET', names, number, lid)
  if v[1] ~= lid or v[2] ~= number then
    learnt = learnt + 1
    write_gathered()
    local former_lid = v[1] and v[1] ~= lid and v[1]
    local former_number = v[2] and v[2] ~= number and v[2]
    if former_lid then redis.call('HDEL', names, former_lid) end
    if former_number then redis.call('HDEL', names, former_number) end
    redis.call('HSET', names, number, lid, lid, number)
    looked_up = {}
    if former_lid or former_number then
      local sources = { number, lid }
      if former_lid then sources[#sources + 1] = former_lid end
      if former_number then sources[#sources + 1] = former_number end
      regroup(sources, by_name)
    elseif redis.call('EXISTS', K.chat(sid, number)) == 1 then
      regroup({ number, lid }, into(lid))
    end
    know_as(number, lid)
  end
end
save_and_wake()
return { 'learnt', learnt }
