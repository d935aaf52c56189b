-- Shared by the scripts that take what retention is done with out of a session's look-ups.

-- Looks at the oldest of the outbox index, at most so many, and gives up those whose entries are
-- gone. What outlives its retention (it waits for longer) is skipped, so that it is not looked at
-- every time. Returns how many were looked at.
local function trim_outbox(now, most)
  local session, skip = L.session, L.skip
  local index = K.outbox_index(session)
  local old = redis.call('ZRANGEBYSCORE', index, '-inf', text(tonumber(now) - OUTBOX_RETENTION),
    'LIMIT', skip, most)
  for _, member in ipairs(old) do
    local id, names = string.match(member, '(out_[^:]+):(.+)$')
    if redis.call('EXISTS', K.outbox(id)) == 0 then
      redis.call('ZREM', index, member)
      for wa in string.gmatch(names, '[^:]+') do redis.call('HDEL', K.by_wa_id(session), wa) end
      redis.call('ZREM', K.dead(session), id)
    else
      skip = skip + 1
    end
  end
  if #old < most then skip = 0 end
  if skip ~= L.skip then
    L.skip = skip
    put('skip', skip)
  end
  return #old
end
