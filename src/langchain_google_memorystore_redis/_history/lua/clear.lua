-- Removes a session; a key of another type is refused and left alone.
-- KEYS[1]  the session's list
-- Returns 1 if the session existed, else 0.
redis.call('LLEN', KEYS[1]) -- raises WRONGTYPE for a key of another type
return redis.call('UNLINK', KEYS[1])
