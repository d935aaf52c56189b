-- The fence (law 3), shared by every script that only a session's owner may call.

-- Counts a refusal: it is the only trace that a former owner leaves. A Redis without memory for the
-- count must not turn "stale" into an error.
local function refuse_stale()
  redis.pcall('INCR', K.refused())
end

-- Whether the caller's epoch is the session's present one.
local function owns(session, epoch)
  if redis.call('HGET', K.session(session), 'epoch') == epoch then return true end
  refuse_stale()
  return false
end
