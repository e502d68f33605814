-- Begins a script that writes to a thread of two keys, and refuses a key of another type.
-- A server that is full may evict one key of the two: what is left is of no use then. Nothing is
-- removed where nothing is, since a script that has written may write on beyond `maxmemory`.
local has_index = redis.call('ZCARD', KEYS[1]) > 0
local has_data = redis.call('HLEN', KEYS[2]) > 0
if has_index ~= has_data then redis.call('UNLINK', KEYS[1], KEYS[2]) end
