-- Reads a session and renews its time to live, unless the key is something else.
-- KEYS[1]  the session's list
-- ARGV[1]  time to live in milliseconds
-- ARGV[2]  the reading command, LRANGE or LINDEX
-- ARGV[3]... its arguments after the key
-- Returns what the command returns.
local reply = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return reply
