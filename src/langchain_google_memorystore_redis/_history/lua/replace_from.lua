-- Replaces an entry and all after it by a batch, once, even if the batch is sent again.
-- KEYS[1]  the session's list
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  id of the entry as its element holds it, in quotation marks
-- ARGV[3]... the elements of the batch
-- Returns the length of the session afterwards; 0 if there is no such entry, and changes nothing.
local key, ttl, id, first, size = KEYS[1], ARGV[1], ARGV[2], ARGV[3], #ARGV - 2
local length = redis.call('LLEN', key)

-- Spaces: other programs rewrite exports, and imports keep what they wrote.
local function is_named(element)
  local tail = string.sub(element, -#id - 34)
  local time = string.find(tail, ', ?"ts": ?%d+}$')
  return time
    and string.sub(tail, time - #id, time - 1) == id
    and string.match(string.sub(tail, 1, time - #id - 1), ', ?"id": ?$')
end

-- Returns the index of the entry, or true if the batch is stored. The entry is usually one of the
-- last; the bound keeps the server responsive.
local function find()
  local last, count = length - 1, 16
  while last >= math.max(0, length - 1000) do
    local elements = redis.call('LRANGE', key, math.max(0, last - count + 1), last)
    for i = #elements, 1, -1 do
      if elements[i] == first then return true end
      if is_named(elements[i]) then return last - #elements + i end
    end
    last, count = last - count, 246
  end
end

local found = find()
if not found then return 0 end
if found == true then
  -- A write that changes nothing: a server that has become a replica must not confirm the batch, and
  -- Valkey's WAIT counts the replicas that have the newest write of its own connection.
  redis.call('LSET', key, -1, redis.call('LINDEX', key, -1))
  return length
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
