-- Shared by the session scripts: a session's status and the event that tells it.

local function emit(kind, session, now, payload)
  wake_listeners()
  return redis.call('XADD', K.events(), 'MINID', '~',
    string.format('%.0f', tonumber(now) - EVENT_RETENTION), '*',
    'event', kind, 'session', session, 'timestamp', now, 'payload', payload)
end

local function json_or_null(value)
  if value and value ~= '' then return cjson.encode(value) end
  return 'null'
end

-- Sets the status and tells it, unless nothing changed.
local function set_status(session, now, status, reason)
  local key = K.session(session)
  local old = redis.call('HMGET', key, 'status', 'lastError', 'waJid', 'waLid')
  if old[1] == status and (old[2] or '') == reason then return end
  redis.call('HSET', key, 'status', status, 'lastError', reason, 'updatedAt', now)
  if status ~= 'scan_qr_code' then redis.call('HDEL', key, 'qr', 'qrExpiresAt') end
  if status ~= 'passkey_required' then
    redis.call('HDEL', key, 'passkey', 'passkeyExpiresAt', 'passkeyCode')
  end
  emit('session.status', session, now, '{"status":"' .. status .. '","waJid":'
    .. json_or_null(old[3]) .. ',"waLid":' .. json_or_null(old[4]) .. ',"reason":'
    .. json_or_null(reason) .. ',"timestamp":' .. now .. '}')
end
