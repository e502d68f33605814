-- Stores a checkpoint and the values that are new with it, all or nothing, once.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  name of the checkpoint
-- ARGV[3]  its record
-- ARGV[4]  how many values must be there already; then their fields
-- ARGV[.]... field and bytes of each new value, each before the elements it refers to
-- Returns the fields of values that should be there and are not; then none is stored.
local ttl, name, record = ARGV[1], ARGV[2], ARGV[3]
local missing, last = {}, 4 + tonumber(ARGV[4])
for i = 5, last do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then missing[#missing + 1] = ARGV[i] end
end
if #missing > 0 then return missing end

-- A version of a channel never changes: what is there is right, and so are its elements, which a
-- serializer that encrypts would give other names at each try.
local is_new = false
for i = last + 1, #ARGV, 2 do
  local is_element = string.sub(ARGV[i], 1, 1) == 'e'
  local added = (is_new or not is_element) and redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
  if not is_element then is_new = added == 1 end
end
redis.call('HSET', KEYS[2], name, record)
redis.call('ZADD', KEYS[1], 0, name)
for i = 1, ttl == '0' and 0 or 2 do redis.call('PEXPIRE', KEYS[i], ttl) end
return missing
