-- Removes an item with its vectors and entries.
-- KEYS[1]  index of the namespace
-- KEYS[2]  the item
-- KEYS[3]  its vectors
-- ARGV[1]  name of the item
-- Returns nothing.
redis.call('STRLEN', KEYS[2]) -- fails for another type, as the others do
redis.call('STRLEN', KEYS[3])
redis.call('ZREM', KEYS[1], 'u' .. ARGV[1], 'e' .. ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
return false
