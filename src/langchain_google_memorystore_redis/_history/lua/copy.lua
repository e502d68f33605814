-- Adds the next page of a copy, once, and only where the page before it ended.
-- KEYS[1]  the list of the new session
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  how many entries the pages before this one held
-- ARGV[3]... the entries of this page
-- Returns 1, or 0 if the list is not what the pages before left: somebody else wrote to it.
local key, ttl, offset = KEYS[1], ARGV[1], tonumber(ARGV[2])
local length = redis.call('LLEN', key)
local last = offset + #ARGV - 2
if length ~= offset then
  -- This page was sent before and its reply lost, or the list is another's.
  return (length >= last and redis.call('LINDEX', key, last - 1) == ARGV[#ARGV]) and 1 or 0
end
for first = 3, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return 1
