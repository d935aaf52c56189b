-- The fence (law 3), shared by every script that only a session's owner may call.

-- Whether the caller's epoch is the session's present one. A refusal is counted: it is the only
-- trace that a former owner leaves.
local function owns(session, epoch)
  if redis.call('HGET', K.session(session), 'epoch') == epoch then return true end
  redis.call('INCR', K.refused())
  return false
end
