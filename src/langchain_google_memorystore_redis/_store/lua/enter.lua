-- Enters namespaces in the list of all, before something is put into them.
-- KEYS[1]  names of all namespaces
-- KEYS[2]  times of their last writes
-- ARGV[1]... names
-- Returns nothing.
redis.call('HLEN', KEYS[2]) -- fails for another type
for _, name in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 0, name) end
local now = whole(1000 * clock(KEYS[1]))
for _, name in ipairs(ARGV) do redis.call('HSET', KEYS[2], name, now) end
return false
