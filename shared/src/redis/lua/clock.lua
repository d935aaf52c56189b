-- Time, shared by every script that decides by it (law 12).
-- Included after the settings (CALLERS_CLOCK).

-- The moment of this step in ms, as text, and how far the caller's clock is behind it: a moment that
-- the caller worked out from its own clock is moved by that much. `given` is what the caller's clock
-- shows. Redis' own time decides; only a store that was opened for a simulated clock takes the
-- caller's.
local function clock(given)
  if CALLERS_CLOCK then return given, 0 end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  return string.format('%.0f', now), now - tonumber(given)
end
