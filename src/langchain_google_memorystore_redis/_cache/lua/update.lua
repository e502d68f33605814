-- KEYS[1] ... are generations, the last key is the entry.
-- ARGV: random bytes for the generations that are missing, a mark ('~' keeps the entry while it is
-- used, see lookup.lua) and the content, milliseconds to live.
-- Returns nothing; writes the entry in the present generations.
local stamp = ''
for i = 1, #KEYS - 1 do
  local generation = redis.call('GET', KEYS[i])
  if not generation then
    generation = ARGV[1]
    redis.call('SET', KEYS[i], generation, 'PX', ARGV[3])
  elseif redis.call('PTTL', KEYS[i]) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
  stamp = stamp .. generation
end
redis.call('SET', KEYS[#KEYS], stamp .. ARGV[2], 'PX', ARGV[3])
