-- Stores a checkpoint and the values that are new with it, all or nothing, once.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  name of the checkpoint
-- ARGV[3]  its record
-- ARGV[4]  how many values must be there already; then their fields
-- ARGV[.]... field and bytes of each new value, and of each element of a list among them
-- Returns the fields of values that should be there and are not; then nothing was written.
local ttl, name, record = ARGV[1], ARGV[2], ARGV[3]
-- A server that is full may evict one key of the two: what is left is of no use then.
local whole = redis.call('ZCARD', KEYS[1]) > 0
whole = redis.call('HLEN', KEYS[2]) > 0 and whole

local missing, last = {}, 4 + tonumber(ARGV[4])
for i = 5, last do
  if not whole or redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then missing[#missing + 1] = ARGV[i] end
end
if #missing > 0 then return missing end

if not whole then redis.call('UNLINK', KEYS[1], KEYS[2]) end
-- A version of a channel, and an element by its hash, never change: what is there is right.
for i = last + 1, #ARGV, 2 do
  redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
end
redis.call('HSET', KEYS[2], name, record)
redis.call('ZADD', KEYS[1], 0, name)
for i = 1, ttl == '0' and 0 or 2 do redis.call('PEXPIRE', KEYS[i], ttl) end
return missing
