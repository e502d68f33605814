-- Stores pending writes of a checkpoint, all or nothing, once.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]... of each write its name, '1' if it replaces an earlier one or '0', and its value
-- Returns nothing.
local ttl = ARGV[1]
for i = 2, #ARGV, 3 do
  redis.call(ARGV[i + 1] == '1' and 'HSET' or 'HSETNX', KEYS[2], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[1], 0, ARGV[i])
end
for i = 1, ttl == '0' and 0 or 2 do redis.call('PEXPIRE', KEYS[i], ttl) end
return false
