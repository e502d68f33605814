-- Removes the entries of items that are no longer there: expired, or evicted by a full server.
-- KEYS[1]  index of the namespace
-- KEYS[2]... the items
-- ARGV[1]... name of each
-- Returns nothing.
for i, name in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[i + 1]) == 0 then
    redis.call('ZREM', KEYS[1], 'u' .. name, 'e' .. name)
  end
end
return false
