-- Removes empty namespaces from the list of all, those into which nothing was put meanwhile.
-- KEYS[1]  names of all namespaces
-- KEYS[2]  times of their last writes
-- ARGV[1]... name, and time of the last write as it was listed, of each
-- Returns nothing.
redis.call('ZCARD', KEYS[1]) -- fails for another type
for i = 1, #ARGV, 2 do
  if (redis.call('HGET', KEYS[2], ARGV[i]) or '') == ARGV[i + 1] then
    redis.call('ZREM', KEYS[1], ARGV[i])
    redis.call('HDEL', KEYS[2], ARGV[i])
  end
end
return false
