-- Stores elements at their indices in a session. Idempotent: equal elements already there stay.
-- KEYS[1]  list of the session
-- ARGV[1]  time to live in milliseconds, 0 for none; set only if elements are added
-- ARGV[2]  index of the first element
-- ARGV[3]... elements
-- Returns the number of elements added, or -1 if the session holds something else at these indices
-- or ends before them.
local key, ttl, first_index = KEYS[1], ARGV[1], tonumber(ARGV[2])
local kind = redis.call('TYPE', key).ok
if kind ~= 'list' and kind ~= 'none' then return -1 end
if redis.call('LLEN', key) < first_index then return -1 end

local stored = redis.call('LRANGE', key, first_index, first_index + #ARGV - 3)
for position = 1, #stored do
  if stored[position] ~= ARGV[position + 2] then return -1 end
end
for first = #stored + 3, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if ttl ~= '0' and #stored < #ARGV - 2 then redis.call('PEXPIRE', key, ttl) end
return #ARGV - 2 - #stored
