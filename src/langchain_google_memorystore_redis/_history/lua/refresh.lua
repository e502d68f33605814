-- Reads a session and renews its expiry; a key of another type is refused.
-- KEYS[1]  the session's list
-- ARGV[1]  expiry in milliseconds
-- ARGV[2]  the read command, LRANGE or LINDEX
-- ARGV[3]... its arguments after the key
-- Returns the reply of the command.
local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply
