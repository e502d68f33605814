-- Tells whether a namespace holds items, and removes some entries of those that have expired.
-- KEYS[1]  index of the namespace
-- Returns 1 if it holds items, 0 if all have expired, and -1 if there is no entry left.
if redis.call('ZCARD', KEYS[1]) == 0 then return -1 end
local now = clock(KEYS[1])
clean(KEYS[1], now, 100)
local entries = redis.call('ZCOUNT', KEYS[1], '(0', '+inf')
if entries == 0 then return -1 end
return entries > redis.call('ZCOUNT', KEYS[1], whole(-now), '(0') and 1 or 0
