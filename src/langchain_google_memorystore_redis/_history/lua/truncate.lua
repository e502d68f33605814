-- Keeps the first elements of a session, if the element named as its newest is among the others.
-- KEYS[1]  list of the session
-- ARGV[1]  how many elements to keep
-- ARGV[2]  end of the newest element that the caller knows; '' for none
-- ARGV[3]  index of that element; negative from the end
-- ARGV[4]  1 to remove the others in any case
-- Returns {1 if no others are left, else 0, length, end of the newest element}.
local key, keep, tail = KEYS[1], tonumber(ARGV[1]), ARGV[2]
local length = redis.call('LLEN', key) -- raises WRONGTYPE for a key of another type
local others = length - keep

local function is_named_there()
  local is_there, following = stands(key, length, tail, tonumber(ARGV[3]))
  -- A trim by another writer moves the element to a lower index.
  return (is_there and following < others) or find_tail(key, math.min(others, 1000), tail)
end

if others > 0 then
  local newest = newest_tail(key)
  -- If the newest has no id, an unnamed request is the only one there can be.
  local may_remove = newest == tail or ARGV[4] == '1' or (tail ~= '' and is_named_there())
  if not may_remove then return { 0, length, newest } end
  if keep == 0 then
    redis.call('UNLINK', key)
    return { 1, 0, '' } -- no read of a removed key: while its slot moves, that would be an error
  end
  redis.call('LTRIM', key, 0, keep - 1)
  length = keep
end
return { 1, length, newest_tail(key) }
