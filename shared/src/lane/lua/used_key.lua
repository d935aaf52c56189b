-- Shared by the scripts that look at idempotency keys.

-- What an idempotency key was used for, as accept.lua answers: nil where it is unused. Whoever waits
-- is told how the original ends.
local function replay(idem, print, waiter)
  local known = redis.call('GET', K.idempotency(idem))
  local used, out = string.match(known or '', '^(%S+) (%S+)$')
  if not out then return nil end
  if used ~= print then return { 'key_reused', out } end
  local old = load_entry(out)
  -- An entry that retention has taken away leaves its key free again.
  if not old then return nil end
  if waiter and RANK[old.status] < RANK.sent then add_waiter(old, waiter) end
  local err = redis.call('HGET', K.outbox(out), 'error')
  local number, lid = both_names(old.session, old.to)
  return {
    'replayed', out, old.wa, old.status, old.since, old.mode, err or '', number or '', lid or '',
  }
end
