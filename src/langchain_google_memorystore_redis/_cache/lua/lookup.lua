-- KEYS[1] ... are generations, the last key is the entry.
-- ARGV[1]: milliseconds to live from now on, for an entry that '~' marks as kept while it is used.
-- Returns the content of an entry that was written in the present generations, else nothing.
local entry = redis.call('GET', KEYS[#KEYS])
if not entry then return false end
local stamp = ''
for i = 1, #KEYS - 1 do
  local generation = redis.call('GET', KEYS[i])
  if not generation then return false end
  stamp = stamp .. generation
end
if string.sub(entry, 1, #stamp) ~= stamp then return false end
local ttl = tonumber(ARGV[1])
-- Renewed once it has lost a tenth, so that most lookups write nothing.
if string.sub(entry, #stamp + 1, #stamp + 1) == '~'
  and redis.call('PTTL', KEYS[#KEYS]) < ttl * 0.9 then
  for i = 1, #KEYS do
    if redis.call('PTTL', KEYS[i]) < ttl then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
  end
end
return string.sub(entry, #stamp + 2)
