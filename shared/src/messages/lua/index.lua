-- Shared by the scripts that write or read a session's message index.
-- Included after the key prelude (R, K) and the settings (MESSAGE_RETENTION, ms; MESSAGE_PAGES, and
-- MESSAGE_PAGE records on each).
--
-- The index is a row of pages, `messageId -> record` (JSON, see domain/known.rs), of which only
-- the newest is written to. It needs no second structure in order of time: a page that is full, or
-- has been open for a share of the retention, is followed by another; the page that this makes one
-- too many is dropped whole, and each page expires by itself. So a session keeps at most
-- MESSAGE_PAGES * MESSAGE_PAGE records, none for much longer than MESSAGE_RETENTION.
--
-- A page belongs to the account (the number) that was paired when it was begun, which its field ''
-- names: another account begins another page, and finds nothing on those of the former one (law 11).

local PAGE_SPAN = math.ceil(MESSAGE_RETENTION / (MESSAGE_PAGES - 1))

-- The account of a session, '' while nobody is paired; scripts that know it say so.
local accounts = {}

local function index_account(session, known)
  if known then accounts[session] = known end
  if not accounts[session] then
    local jid = redis.call('HGET', K.session(session), 'waJid')
    accounts[session] = string.match(jid or '', '^(%d+)') or ''
  end
  return accounts[session]
end

-- Whether a page of `owner` (false: begun by an older version) is the present account's.
local function is_ours(session, owner)
  local account = index_account(session)
  return not owner or owner == '' or account == '' or owner == account
end

-- The page to write to: its number, and whether it was just begun.
local function open_page(session, now)
  local v = redis.call('HMGET', K.lane(session), 'page', 'pageAt', 'pageOf')
  local page, moment, account = tonumber(v[1] or 0), tonumber(now), index_account(session)
  if page > 0 and moment - tonumber(v[2]) < PAGE_SPAN and is_ours(session, v[3])
    and redis.call('HLEN', K.messages(session, page)) <= MESSAGE_PAGE then
    return page, false
  end
  page = page + 1
  redis.call('HSET', K.lane(session), 'page', page, 'pageAt', now, 'pageOf', account)
  redis.call('HSET', K.messages(session, page), '', account)
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

-- Whether one of `names` is the chat or person of these two names.
local function among(session, names, name, alt)
  for _, one in ipairs(names) do
    if one == alt or is_same(session, one, name) then return true end
  end
  return false
end

-- Changes what is known of a message as its author wants (`amendment`: JSON, see
-- domain/amendment.rs); what somebody else wants of it changes nothing. Of a message that was taken
-- back only that is kept (`v`): nobody is to be shown it again. `field` = `place` says where the whole of a new text is: `e`, told at
-- that place; `o`, in that outbox entry.
local function amend(session, amendment, field, place)
  local change = cjson.decode(amendment)
  local authors = change.s or {}
  local newest = tonumber(redis.call('HGET', K.lane(session), 'page') or 0)
  for page = newest, math.max(1, newest - MESSAGE_PAGES + 1), -1 do
    local key = K.messages(session, page)
    local v = redis.call('HMGET', key, change.i, '')
    local message = v[1] and is_ours(session, v[2]) and cjson.decode(v[1])
    if message and among(session, change.c, message.c, message.a) and (change.any
      or #authors == 0 and not message.s
      or message.s and among(session, authors, message.s, message.b)) then
      if not change.x then
        redis.call('HSET', key, change.i, cjson.encode({
          c = message.c, a = message.a, s = message.s, b = message.b, d = message.d, k = message.k,
          t = message.t, v = true,
        }))
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

-- The record of an id in a chat ('' = any, this account's own before others'), or nil; then whether
-- a former account of the session knew the id, and whether the message was taken back.
local function recall(session, id, chat)
  local newest = tonumber(redis.call('HGET', K.lane(session), 'page') or 0)
  local found, formers, revoked = nil, false, false
  for page = newest, math.max(1, newest - MESSAGE_PAGES + 1), -1 do
    local v = redis.call('HMGET', K.messages(session, page), id, '')
    if v[1] and not is_ours(session, v[2]) then
      formers = true
    elseif v[1] then
      local message = cjson.decode(v[1])
      if message.v then
        revoked = true
      elseif chat == '' and not message.s or message.a == chat
        or is_same(session, message.c, chat) then
        return v[1], message
      elseif chat == '' and not found then
        found = { v[1], message }
      end
    end
  end
  if found then return found[1], found[2] end
  return nil, nil, formers, revoked
end
