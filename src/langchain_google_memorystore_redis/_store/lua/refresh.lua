-- Starts the times to live of items anew, of those that have one.
-- KEYS[1]  index of the namespace
-- KEYS[2]... item and vectors of each
-- ARGV[1]... name of each
-- Returns nothing.
for i, name in ipairs(ARGV) do
  local head = redis.call('GETRANGE', KEYS[2 * i], 0, 79)
  refresh(KEYS[1], KEYS[2 * i], KEYS[2 * i + 1], name, head)
end
return false
