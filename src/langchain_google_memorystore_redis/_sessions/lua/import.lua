-- Puts elements in their places in a session; what is there already stays as it is.
-- KEYS[1]  the session's list
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  the index of the first of the elements
-- ARGV[3]... the elements
-- Returns how many were added, or -1 if the session holds something else or ends before them.
local key, ttl, offset = KEYS[1], ARGV[1], tonumber(ARGV[2])
local kind = redis.call('TYPE', key).ok
if kind ~= 'list' and kind ~= 'none' then return -1 end
if redis.call('LLEN', key) < offset then return -1 end

local there = redis.call('LRANGE', key, offset, offset + #ARGV - 3)
for at = 1, #there do
  if there[at] ~= ARGV[at + 2] then return -1 end
end
for first = #there + 3, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if ttl ~= '0' and #there < #ARGV - 2 then redis.call('PEXPIRE', key, ttl) end
return #ARGV - 2 - #there
