-- Removes a thread; refuses a key of another type.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  'half' to remove only what is left of a thread whose other key was evicted
-- Returns nothing.
local has_index = redis.call('ZCARD', KEYS[1]) > 0 -- fails for another type
local has_data = redis.call('HLEN', KEYS[2]) > 0
if ARGV[1] ~= 'half' or has_index ~= has_data then redis.call('UNLINK', KEYS[1], KEYS[2]) end
return false
