-- Beginning of a script that changes a thread: refuses half a thread, of which a full server has
-- evicted one key. Nothing else leaves one, so half a thread is none; delete.lua removes it, in a
-- call of its own, because a script that removes a key and writes it again may be cut in between.
local has_index = redis.call('ZCARD', KEYS[1]) > 0
local has_data = redis.call('HLEN', KEYS[2]) > 0
if has_index ~= has_data then return 'half' end
