-- Replaces an entry and all after it by a batch, once, even if the batch is sent again.
-- KEYS[1]  list of the session
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  id of the entry as its element holds it, in quotation marks
-- ARGV[3]... elements of the batch
-- Returns the length afterwards; or, if nothing was changed, {1 if the batch is there, 0 if there is
-- no such entry, length, end of the newest element}.
local key, ttl, id, first, size = KEYS[1], ARGV[1], ARGV[2], ARGV[3], #ARGV - 2
local length = redis.call('LLEN', key)
local found

-- Spaces: other programs rewrite exports, and imports keep what they wrote.
local function is_named(element)
  local tail = string.sub(element, -#id - 34)
  local time = string.find(tail, ', ?"ts": ?%d+}$')
  return time
    and string.sub(tail, time - #id, time - 1) == id
    and string.match(string.sub(tail, 1, time - #id - 1), ', ?"id": ?$')
end

-- The bound keeps the server responsive.
local is_there = find(key, 1000, function(element, index)
  found = is_named(element) and length + index
  return found or element == first
end)
if not found then
  -- A write that changes nothing: a server that has become a replica must not confirm the batch, and
  -- Valkey's WAIT counts the replicas that have the newest write of its own connection.
  if is_there then redis.call('LSET', key, -1, redis.call('LINDEX', key, -1)) end
  return { is_there and 1 or 0, length, newest_tail(key) }
end

-- In place: in a cluster slot that is being moved, a key that was removed cannot be written again.
local kept = math.min(size, length - found)
for i = 1, kept do redis.call('LSET', key, found + i - 1, ARGV[i + 2]) end
-- Lua unpacks a few thousand values at most.
for start = kept + 3, #ARGV, 1000 do
  redis.call('RPUSH', key, unpack(ARGV, start, math.min(start + 999, #ARGV)))
end
if found + size < length then redis.call('LTRIM', key, 0, found + size - 1) end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return found + size
