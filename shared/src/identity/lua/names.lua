-- Who is who, shared by every script that compares people or chats.
-- Included after the key prelude (R, K).
--
-- A person has two names: a number (`…@s.whatsapp.net`) and a LID (`…@lid`). The hash `names` of a
-- session holds, both ways, what WhatsApp has told of who is who (see lane/lua/learn.lua). Inside, a
-- chat with a person has one key: the LID where it is known, and otherwise whatever it was called.
-- Records keep the name that the caller used, and are compared by that key.

-- What this step has looked up: `session name` -> the other name, or false.
local looked_up = {}

-- The other name of a person; nil where it is not known, and for groups.
local function other_name(session, name)
  if string.find(name, '@g.us', 1, true) then return nil end
  local key = session .. ' ' .. name
  if looked_up[key] == nil then looked_up[key] = redis.call('HGET', K.names(session), name) end
  return looked_up[key] or nil
end

local function is_number(name)
  return string.find(name, '@s.whatsapp.net', 1, true) ~= nil
end

-- The key of a chat or a person.
local function key_of(session, name)
  return is_number(name) and other_name(session, name) or name
end

-- Whether two names are of one person, or of one chat.
local function is_same(session, name, other)
  return name == other or name and other and key_of(session, name) == key_of(session, other)
end

-- The number and the LID of a person, each nil where it is not known; neither for a group.
local function both_names(session, name)
  local other = other_name(session, name)
  if is_number(name) then return name, other end
  if string.find(name, '@lid', 1, true) then return other, name end
end

-- The same as members of a JSON object.
local function names_json(session, name)
  local number, lid = both_names(session, name)
  return '"pn":' .. (number and cjson.encode(number) or 'null')
    .. ',"lid":' .. (lid and cjson.encode(lid) or 'null')
end
