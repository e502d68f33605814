-- Adds a page of another thread's fields; those that exist already stay.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]... fields and their values
-- Returns nothing.
local ttl = ARGV[1]
for i = 2, #ARGV, 2 do
  redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
  local kind = string.sub(ARGV[i], 1, 1)
  if kind == 'c' or kind == 'w' then redis.call('ZADD', KEYS[1], 0, ARGV[i]) end
end
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return false
