-- What an idempotency key was used for; accepts nothing.
-- KEYS  1 partition root
-- ARGV  1 sha256 of the key  2 fingerprint of the request  3 waiter: instance/token ('' = none)
-- Replies  {unused} | {replayed, …} | {key_reused, …} as accept.lua
return replay(ARGV[1], ARGV[2], ARGV[3] ~= '' and ARGV[3] or nil) or { 'unused' }
