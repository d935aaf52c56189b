-- Tells inbound messages, each once: the event and the memory of it are one step (law 7).
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  4 memory of messages told (ms)
--       then ten for each: identity (chat|sender|id), event kind ('' = only remember it), payload
--       (JSON), message id,
--       record for the message index (JSON; '' = none), what it changes there (JSON; '' = nothing),
--       vote (JSON; '' = none), channel ('' = none), number of the post in it, the chat's timer for
--       disappearing messages (JSON; '' = nothing new)
-- Replies  {stale} | {told, number of messages that were new}
local now, sid = (clock(ARGV[1])), ARGV[2]
if not owns(sid, ARGV[3]) then return { 'stale' } end

-- How a poll stands, as JSON. (An empty list would be encoded as an object.)
local function standing(votes, options)
  local of, total = {}, 0
  for i = 2, #votes, 2 do
    local vote = cjson.decode(votes[i])
    for _, option in ipairs(vote.o) do
      of[option] = of[option] or {}
      table.insert(of[option], vote.v)
      total = total + 1
    end
  end
  local shown = {}
  for i, option in ipairs(options) do
    local voters = of[option] or {}
    table.sort(voters)
    for j, voter in ipairs(voters) do voters[j] = cjson.encode(voter) end
    shown[i] = string.format('{"name":%s,"count":%d,"voters":[%s]}', cjson.encode(option), #voters,
      table.concat(voters, ','))
  end
  return string.format('{"total":%d,"options":[%s]}', total, table.concat(shown, ','))
end

-- Counts a vote and completes its payload. The place for the totals is found by the quotes in it, which
-- no text of a user can hold unescaped.
local PLACE = '"results":null,"before":null'
local function count(payload, json)
  local vote = cjson.decode(json)
  local key = K.votes(sid, vote.p)
  local before = standing(redis.call('HGETALL', key), vote.a)
  local last = redis.call('HGET', key, vote.k)
  if not last or cjson.decode(last).t <= vote.t then
    redis.call('HSET', key, vote.k, cjson.encode({ v = vote.v, t = vote.t, o = vote.o }))
  end
  redis.call('PEXPIRE', key, string.format('%.0f', MESSAGE_RETENTION))
  local after = standing(redis.call('HGETALL', key), vote.a)
  local from, to = string.find(payload, PLACE, 1, true)
  if not from then return payload end
  return string.sub(payload, 1, from - 1) .. '"results":' .. after .. ',"before":' .. before
    .. string.sub(payload, to + 1)
end

-- A chat's timer, by every name of the chat, unless what is known of it is newer.
local function set_timer(json)
  local timer = cjson.decode(json)
  local row = string.format('%.0f %.0f', timer.s, timer.t)
  for _, chat in ipairs(timer.c) do
    local known = redis.call('HGET', K.timers(sid), chat)
    if not known or tonumber(string.match(known, ' (%d+)$')) <= timer.t then
      redis.call('HSET', K.timers(sid), chat, row)
    end
  end
end

local seen, emitted, page, begun = K.inbound(sid), 0, nil, false
for i = 5, #ARGV, 10 do
  if redis.call('ZADD', seen, 'NX', now, ARGV[i]) == 1 and ARGV[i + 1] ~= '' then
    local payload = ARGV[i + 2]
    if ARGV[i + 6] ~= '' then payload = count(payload, ARGV[i + 6]) end
    local place = emit(ARGV[i + 1], sid, now, payload)
    local record = ARGV[i + 4]
    if record ~= '' then
      if not page then page, begun = open_page(sid, now) end
      record = string.sub(record, 1, -2) .. ',"e":"' .. place .. '"}'
      remember(sid, page, begun, ARGV[i + 3], record)
      begun = false
    end
    if ARGV[i + 5] ~= '' then amend(sid, ARGV[i + 5], 'e', place) end
    emitted = emitted + 1
  end
  local channel, number = ARGV[i + 7], tonumber(ARGV[i + 8])
  if channel ~= '' and number > tonumber(redis.call('HGET', K.channels(sid), channel) or -1) then
    redis.call('HSET', K.channels(sid), channel, ARGV[i + 8])
  end
  if ARGV[i + 9] ~= '' then set_timer(ARGV[i + 9]) end
end
redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('%.0f', tonumber(now) - tonumber(ARGV[4])))
return { 'emitted', emitted }
