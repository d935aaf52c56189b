-- Makes an entry that was just accepted findable by its recipient and by its request. Both look-ups end by
-- themselves with the retention, so that nothing has to be swept.
local function findable(entry, now)
  local chat, hour = K.by_chat(entry.session, entry.chat), math.floor(tonumber(now) / 3600000)
  redis.call('ZADD', chat, now, entry.id)
  redis.call('PEXPIRE', chat, OUTBOX_RETENTION)
  redis.call('ZREMRANGEBYSCORE', chat, '-inf', text(tonumber(now) - OUTBOX_RETENTION))
  local asked = K.by_request(text(hour))
  redis.call('ZADD', asked, 0, entry.req .. ' ' .. entry.id .. ' ' .. entry.session)
  redis.call('PEXPIRE', asked, OUTBOX_RETENTION + 86400000)
end
