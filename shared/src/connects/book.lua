-- Books a connection to WhatsApp, so that all workers together begin no more than so many a minute.
-- KEYS  1 root of the installation's structures
-- ARGV  1 the caller's clock (ms)  2 time from one connection to the next (ms, with fractions)
--       3 how much of that time may be borrowed, for many at once (ms)  4 longest wait (ms)
-- Replies  {booked, wait (ms)} | {full, wait (ms)}: nothing was booked
local now = tonumber((clock(ARGV[1])))
local due = math.max(tonumber(redis.call('GET', K.connects()) or 0), now)
local wait = math.max(0, due - tonumber(ARGV[3]) - now)
if wait > tonumber(ARGV[4]) then return { 'full', string.format('%.0f', wait) } end
due = due + tonumber(ARGV[2])
redis.call('SET', K.connects(), string.format('%.3f', due), 'PX', string.format('%.0f', due - now + 1000))
return { 'booked', string.format('%.0f', wait) }
