-- Stores a checkpoint and its new values, all or nothing, once.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  name of the checkpoint
-- ARGV[3]  its record
-- ARGV[4]  number of values that must be stored already, followed by their fields
-- ARGV[.]... field and bytes of each new value, each before the elements that it refers to
-- Returns the fields of values that should be stored and are not; then nothing was changed.
local ttl, name, record = ARGV[1], ARGV[2], ARGV[3]
local missing, last = {}, 4 + tonumber(ARGV[4])
for i = 5, last do
  if redis.call('HEXISTS', KEYS[2], ARGV[i]) == 0 then missing[#missing + 1] = ARGV[i] end
end
if #missing > 0 then return missing end

-- A version of a channel never changes, so a stored value is right and its elements are stored: they
-- are skipped, because a serializer that encrypts gives them other hashes at each try.
local is_new = false
for i = last + 1, #ARGV, 2 do
  local is_element = string.sub(ARGV[i], 1, 1) == 'e'
  if is_new or not is_element then
    local added = redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
    if not is_element then is_new = added == 1 end
  end
end
redis.call('HSET', KEYS[2], name, record)
redis.call('ZADD', KEYS[1], 0, name)
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return missing
