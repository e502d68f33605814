-- Removes a session, and no key that is something else.
-- KEYS[1]  the session's list
-- Returns 1 if there was one, else 0.
redis.call('LLEN', KEYS[1]) -- refuses a key of another type
return redis.call('UNLINK', KEYS[1])
