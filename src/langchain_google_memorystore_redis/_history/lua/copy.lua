-- Appends the next page of a copy, once, if the list ends with the page before it.
-- KEYS[1]  list of the new session
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  how many elements the pages before have
-- ARGV[3]  the last of those elements; '' if this is the first page
-- ARGV[4]... elements of this page
-- Returns 1, or 0 if the list is not what the pages before have left: another client wrote to it.
local key, ttl, offset = KEYS[1], ARGV[1], tonumber(ARGV[2])
local length = redis.call('LLEN', key)
local last = offset + #ARGV - 3
if length ~= offset or (offset > 0 and redis.call('LINDEX', key, -1) ~= ARGV[3]) then
  -- This page was sent before and its reply lost, or another client owns the list.
  return (length >= last and redis.call('LINDEX', key, last - 1) == ARGV[#ARGV]) and 1 or 0
end
-- Lua unpacks a few thousand values at most.
for from = 4, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, from, math.min(from + 999, #ARGV)))
end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return 1
