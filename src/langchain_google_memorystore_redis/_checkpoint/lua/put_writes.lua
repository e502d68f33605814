-- Stores pending writes of a checkpoint, all or nothing, once.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]... of each write its name, '1' to replace an earlier one or '0' to keep it, and its bytes
-- Returns nothing.
local ttl = ARGV[1]
for i = 2, #ARGV, 3 do
  local command = ARGV[i + 1] == '1' and 'HSET' or 'HSETNX'
  redis.call(command, KEYS[2], ARGV[i], ARGV[i + 2])
  redis.call('ZADD', KEYS[1], 0, ARGV[i])
end
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return false
