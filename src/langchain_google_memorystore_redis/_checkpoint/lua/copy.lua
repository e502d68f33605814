-- Adds a page of another thread's fields; those that exist already stay.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  number of checkpoints and writes, followed by name and content of each
-- ARGV[.]... fields and contents of all values that they refer to
-- Returns nothing.
local ttl, last = ARGV[1], 2 + 2 * tonumber(ARGV[2])
local sweep, is_left = redis.call('HGET', KEYS[2], 'g'), false
store_values(last + 1, sweep)
for i = 3, last, 2 do
  local added = redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[1], 0, ARGV[i])
  if added == 0 then is_left = true end
end
if is_left then mark_garbage(sweep) end -- values that nothing may refer to
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return false
