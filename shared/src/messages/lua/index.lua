-- Shared by the scripts that write or read a session's message index.
-- Included after the key prelude (R, K) and the settings (MESSAGE_RETENTION, ms; MESSAGE_PAGES, and
-- MESSAGE_PAGE records on each).
--
-- The index is a row of pages, `messageId -> record` (JSON, see domain/known.rs), of which only
-- the newest is written to. It needs no second structure in order of time: a page that is full, or
-- has been open for a share of the retention, is followed by another; the page that this makes one
-- too many is dropped whole, and each page expires by itself. So a session keeps at most
-- MESSAGE_PAGES * MESSAGE_PAGE records, none for much longer than MESSAGE_RETENTION.

local PAGE_SPAN = math.ceil(MESSAGE_RETENTION / (MESSAGE_PAGES - 1))

-- The page to write to: its number, and whether it was just begun.
local function open_page(session, now)
  local v = redis.call('HMGET', K.lane(session), 'page', 'pageAt')
  local page, moment = tonumber(v[1] or 0), tonumber(now)
  if page > 0 and moment - tonumber(v[2]) < PAGE_SPAN
    and redis.call('HLEN', K.messages(session, page)) < MESSAGE_PAGE then
    return page, false
  end
  page = page + 1
  redis.call('HSET', K.lane(session), 'page', page, 'pageAt', now)
  if page > MESSAGE_PAGES then
    redis.call('UNLINK', K.messages(session, page - MESSAGE_PAGES))
  end
  return page, true
end

-- Keeps a record. The first of an id stays: others can not choose an id to hide a message.
local function remember(session, page, begun, id, record)
  local key = K.messages(session, page)
  redis.call('HSETNX', key, id, record)
  if begun then
    redis.call('PEXPIRE', key, string.format('%.0f', MESSAGE_RETENTION + PAGE_SPAN))
  end
end

local function among(names, name, alt)
  for _, one in ipairs(names) do
    if one == name or one == alt then return true end
  end
  return false
end

-- Changes what is known of a message as its author wants (`amendment`: JSON, see
-- domain/amendment.rs); what somebody else wants of it changes nothing. A message that was taken
-- back is known no more. `field` = `place` says where the whole of a new text is: `e`, told at
-- that place; `o`, in that outbox entry.
local function amend(session, amendment, field, place)
  local change = cjson.decode(amendment)
  local authors = change.s or {}
  local newest = tonumber(redis.call('HGET', K.lane(session), 'page') or 0)
  for page = newest, math.max(1, newest - MESSAGE_PAGES + 1), -1 do
    local key = K.messages(session, page)
    local record = redis.call('HGET', key, change.i)
    local message = record and cjson.decode(record)
    if message and among(change.c, message.c, message.a) and (change.any
      or #authors == 0 and not message.s
      or message.s and among(authors, message.s, message.b)) then
      if not change.x then
        redis.call('HDEL', key, change.i)
      elseif not message.p then
        message.x, message.z = change.x, change.z
        -- The text of a picture is not the whole of it.
        if message.k == 'text' then
          message.e, message.o = nil, nil
          message[field] = place
        end
        redis.call('HSET', key, change.i, cjson.encode(message))
      end
      return
    end
  end
end

-- The record of an id in a chat ('' = any, this account's own before others'), or nil.
local function recall(session, id, chat)
  local newest = tonumber(redis.call('HGET', K.lane(session), 'page') or 0)
  local found
  for page = newest, math.max(1, newest - MESSAGE_PAGES + 1), -1 do
    local record = redis.call('HGET', K.messages(session, page), id)
    if record then
      local message = cjson.decode(record)
      if chat == '' and not message.s or message.c == chat or message.a == chat then
        return record, message
      end
      if chat == '' and not found then found = { record, message } end
    end
  end
  if found then return found[1], found[2] end
end
