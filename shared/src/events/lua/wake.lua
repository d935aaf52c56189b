-- Wakes the workers that wait for the organization's next event (see webhooks/lua/wait.lua). One look
-- at a key that is mostly not there is all that it costs an event nobody waits for.
local function wake_listeners()
  local waiting = redis.call('SMEMBERS', K.listeners())
  if #waiting == 0 then return end
  redis.call('DEL', K.listeners())
  for _, worker in ipairs(waiting) do
    redis.call('PUBLISH', PREFIX .. ':events:' .. worker, R)
  end
end
