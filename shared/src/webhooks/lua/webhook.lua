-- Shared by the scripts of webhooks. Included after the key prelude (R, K) and the settings.
--
--   webhooks       webhook -> its definition (JSON), which only its organization changes
--   webhook        what becomes of it, which only its owner changes, under its epoch: owner, epoch,
--                  active, cursor, …  Every event up to the cursor was delivered, is held, is a dead
--                  letter, or is none of those that the webhook wants.
--   webhook_held   chats whose head was refused and waits for another attempt, by due time
--   webhook_chat   the deliveries of such a chat in their order, its head included
--   webhook_log    delivery -> its record (JSON)
--   webhook_by     the deliveries of one status: delivered | pending | dead. All scores are 0: an id
--                  sorts as its event does.

-- The place of the newest event there ever was.
local function last_event()
  local info = redis.pcall('XINFO', 'STREAM', K.events())
  if info.err then return '0-0' end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
  return '0-0'
end

local function webhook_now()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- Whether the caller's epoch is the webhook's present one. A refusal is counted.
local function owns_webhook(id, epoch)
  if redis.call('HGET', K.webhook(id), 'epoch') == epoch then return true end
  redis.call('INCR', K.refused())
  return false
end

-- Takes the oldest deliveries of a status away until so many are left.
local function keep(id, status, most)
  local over = redis.call('ZCARD', K.webhook_by(id, status)) - most
  if over <= 0 then return end
  local gone = redis.call('ZPOPMIN', K.webhook_by(id, status), math.min(over, 500))
  for i = 1, #gone, 2 do redis.call('HDEL', K.webhook_log(id), gone[i]) end
end

-- Lets go of everything that is held.
local function release_held(id)
  for _, chat in ipairs(redis.call('ZRANGE', K.webhook_held(id), 0, -1)) do
    redis.call('DEL', K.webhook_chat(id, chat))
  end
  redis.call('DEL', K.webhook_held(id))
  local pending = redis.call('ZRANGE', K.webhook_by(id, 'pending'), 0, -1)
  for _, delivery in ipairs(pending) do redis.call('HDEL', K.webhook_log(id), delivery) end
  redis.call('DEL', K.webhook_by(id, 'pending'))
end
