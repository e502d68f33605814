-- Appends the next page of a copy, once, if the list ends where the previous page ended.
-- KEYS[1]  the list of the new session
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  how many elements the previous pages had
-- ARGV[3]... the elements of this page
-- Returns 1, or 0 if the list is not what the previous pages left: another client wrote to it.
local key, ttl, offset = KEYS[1], ARGV[1], tonumber(ARGV[2])
local length = redis.call('LLEN', key)
local last = offset + #ARGV - 2
if length ~= offset then
  -- This page was sent before and its reply lost, or another client owns the list.
  return (length >= last and redis.call('LINDEX', key, last - 1) == ARGV[#ARGV]) and 1 or 0
end
-- Lua unpacks a few thousand values at most.
for first = 3, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return 1
