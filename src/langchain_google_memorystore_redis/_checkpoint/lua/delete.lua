-- Removes a thread; refuses a key of another type.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- Returns nothing.
redis.call('ZCARD', KEYS[1]) -- fails for another type
redis.call('HLEN', KEYS[2])
redis.call('UNLINK', KEYS[1], KEYS[2])
return false
