-- Moves sent messages on by what their recipient reported. A receipt tells of all that came
-- before it: one for a message whose acknowledgement was lost settles it as sent first, and corrects
-- one that was given up because nobody knew what had become of it.
-- KEYS  1 partition root
-- ARGV  1 the caller's clock (ms)  2 session  3 epoch  then five for each message, in the order in
--       which they came: status (delivered | read | played), time of the receipt (ms), chat JID,
--       sender JID, WhatsApp message id
-- Replies  {stale} or {moved, number of status changes}
local sid = ARGV[2]
if not owns(sid, ARGV[3]) then return { 'stale' } end
if #ARGV > 3 + 5 * MOST_AT_ONCE then return redis.error_reply('too many receipts at once') end
load_lane(sid)
local names = {}
for i = 4, #ARGV, 5 do names[#names + 1] = ARGV[i + 4] end
local ids = #names > 0 and redis.call('HMGET', K.by_wa_id(sid), unpack(names)) or {}

-- Whether a receipt from this chat can be about the entry: anybody may name any id. A number and a
-- LID of which nobody knows whose they are may be one person.
local function concerns(entry, chat)
  if is_same(sid, entry.to, chat) then return true end
  return is_person(entry.to) and is_person(chat) and is_number(entry.to) ~= is_number(chat)
    and not other_name(sid, entry.to) and not other_name(sid, chat)
end

local moved = 0
for i = 4, #ARGV, 5 do
  local status, time, sender = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  local id = ids[(i + 1) / 5]
  local entry = id and load_entry(id)
  -- Of an album the last message is the one that tells of all: those before it were acknowledged.
  if entry and entry.parts and ARGV[i + 4] ~= entry.parts[#entry.parts] then entry = nil end
  if entry and not concerns(entry, ARGV[i + 2]) then entry = nil end
  local corrects = entry and entry.unsure and entry.status == 'failed'
  -- Nobody can have received what was never attempted.
  if corrects or entry and RANK[entry.status] >= RANK.sending
    and RANK[entry.status] < RANK[status] then
    if corrects or entry.status == 'sending' then
      if corrects then
        correct(entry, time)
      else
        local flew = redis.call('HDEL', K.flying(sid), id) == 1
        if not flew then stop_waiting(entry) end
        move(entry, 'sent', time, '')
        leave_chat(entry, flew)
      end
      if entry.amends then amend(sid, entry.amends, 'o', id) end
    end
    if RANK[status] > RANK.delivered and RANK[entry.status] < RANK.delivered then
      move(entry, 'delivered', time, '', sender)
    end
    move(entry, status, time, '', sender)
    moved = moved + 1
  end
end
save_and_wake()
return { 'moved', moved }
