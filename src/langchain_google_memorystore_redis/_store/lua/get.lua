-- Reads an item and starts its time to live anew, if it has one.
-- KEYS[1]  index of the namespace
-- KEYS[2]  the item
-- KEYS[3]  its vectors
-- ARGV[1]  name of the item
-- Returns the record, or nothing.
local record = redis.call('GET', KEYS[2])
if record then refresh(KEYS[1], KEYS[2], KEYS[3], ARGV[1], string.sub(record, 1, 80)) end
return record
