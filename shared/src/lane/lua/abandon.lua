-- Ends what is in a lane: everything, because its session logged out or was deleted; or only what
-- belongs to another account than the one that is paired now (law 11). Also what is in flight: the
-- attempt that is under way has lost its device.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 error (JSON)  4 greatest number of entries
--       5 epoch  6 only of other accounts: 1 | 0  7 where to go on: 0 at first
-- Replies  {number of entries looked at, where to go on, number of entries ended}; call again until
--          the first is 0. {-1, 0, 0}: the epoch is stale
local sid, err, most, others = ARGV[2], cjson.decode(ARGV[3]), tonumber(ARGV[4]), ARGV[6] == '1'
local now, from = clock(ARGV[1]), tonumber(ARGV[7])
if not owns(sid, ARGV[5]) then return { -1, 0, 0 } end
if most > MOST_AT_ONCE then return redis.error_reply('too many entries at once') end
load_lane(sid)
local account = account_of(redis.call('HGET', K.session(sid), 'waJid'))
-- The lane remembers for which account it was gone through.
if others and (account == '' or redis.call('HGET', K.lane(sid), 'account') == account) then
  return { 0, 0, 0 }
end
local looked_at, kept, ended = 0, 0, 0
local function ends(entry)
  return entry and (not others or (entry.account and entry.account ~= account))
end
local function finish(entry, flew)
  if flew then doubt(entry) end
  if err.code == 'session_deleted' then redis.call('HDEL', K.outbox(entry.id), 'body') end
  dead_letter(entry, now, given_up(entry, err.code, err.message), flew)
  ended = ended + 1
end
if from == 0 then
  for _, id in ipairs(redis.call('HKEYS', K.flying(sid))) do
    local entry = load_entry(id)
    if not entry or ends(entry) then
      redis.call('HDEL', K.flying(sid), id)
      if entry then finish(entry, true) end
      looked_at = looked_at + 1
    end
  end
end
for _, id in ipairs(redis.call('ZRANGE', K.expiring(sid), from, from + most - 1)) do
  local entry = load_entry(id)
  if entry and RANK[entry.status] < RANK.sent then
    if ends(entry) then finish(entry, false) else kept = kept + 1 end
  else
    redis.call('ZREM', K.expiring(sid), id)
  end
  looked_at = looked_at + 1
end
if looked_at == 0 and not others then
  -- Nothing waits any more: the lists of the chats hold only what ended.
  for _, places in ipairs({ K.ready(sid), K.delayed(sid) }) do
    write_gathered()
    local chats = redis.call('ZRANGE', places, 0, most - 1)
    for _, chat in ipairs(chats) do redis.call('UNLINK', K.chat(sid, chat)) end
    if #chats > 0 then redis.call('ZREM', places, unpack(chats)) end
    looked_at = looked_at + #chats
  end
end
if looked_at == 0 and others then put('account', account) end
save_lane()
return { looked_at, from + kept, ended }
