-- Beginning of a script that writes to a thread: removes what is left of a thread without its other
-- key, which a full server may have evicted, and refuses a key of another type.
-- No UNLINK in vain: a script that has written may go on writing beyond `maxmemory`.
local has_index = redis.call('ZCARD', KEYS[1]) > 0
local has_data = redis.call('HLEN', KEYS[2]) > 0
if has_index ~= has_data then redis.call('UNLINK', KEYS[1], KEYS[2]) end
