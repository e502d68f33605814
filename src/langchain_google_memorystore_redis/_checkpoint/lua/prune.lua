-- Removes checkpoints and pending writes that are not the newest of their namespace. What is needed
-- is decided in this very call, so that nothing is lost of what others store between two calls.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  lower bound of the names from which to go on
-- ARGV[2]  number of namespaces to visit, and of names to remove, at the most
-- ARGV[3]  size in bytes of the records to look at
-- Returns the next lower bound or '' at the end; 1 if there may be values that nothing refers to.
local start, limit, page_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local spaces, size, removed, is_removed = 0, 0, {}, {}

local function newest_of(space)
  return redis.call('ZREVRANGEBYLEX', KEYS[1], '(c' .. space .. '\2', '[c' .. space .. '\1', 'LIMIT', 0, 1)[1]
end
local function is_below(name, bound) -- in the order of the index; `name` is in it
  return redis.call('ZLEXCOUNT', KEYS[1], '[' .. name, '(' .. bound) > 0
end
-- Newest first, because the values of a checkpoint may be made from older ones.
local function take(high, low)
  local room = limit - #removed
  if room > 0 then
    local found = redis.call('ZREVRANGEBYLEX', KEYS[1], high, low, 'LIMIT', 0, room)
    for _, name in ipairs(found) do removed[#removed + 1], is_removed[name] = name, true end
  end
end

local newest_root = newest_of('')
-- A subgraph's call is over if the thread has gone on from the checkpoint that it was made under.
-- With `checkpointer=True` its namespace has no task in it, and is the next call's too.
local function is_over(space, top)
  local name = 'c\1' .. top
  return top ~= '' and newest_root and string.find(space, ':', 1, true)
    and (is_removed[name] or not redis.call('ZSCORE', KEYS[1], name))
    and redis.call('ZLEXCOUNT', KEYS[1], '[' .. newest_root, '[' .. name) == 0
end

while start ~= '' and spaces < limit and #removed < limit and size < page_bytes do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], start, '(d', 'LIMIT', 0, 1)[1]
  local space = name and string.match(name, '^c([^\1]*)')
  if space then
    local newest = newest_of(space) or name
    local record, id = redis.call('HGET', KEYS[2], newest) or '', string.sub(newest, #space + 3)
    local _, _, top, _, lowest = string.match(record, HEAD)
    local over = is_over(space, top or '')
    if over or not lowest or is_below(newest, 'c' .. space .. '\1' .. lowest) then lowest = id end
    take('(c' .. space .. '\1' .. lowest, '[c' .. space .. '\1')
    take('(w' .. space .. '\1' .. lowest .. '\1', '[w' .. space .. '\1')
    if over then
      take('(w' .. space .. '\1' .. id .. '\2', '[w' .. space .. '\1' .. id .. '\1')
      take('[' .. newest, '[' .. newest)
    end
    spaces, size = spaces + 1, size + #record
    if #removed < limit then start = '[c' .. space .. '\2' end
  else
    start = ''
  end
end
local has_left = #removed > 0 and 1 or redis.call('HEXISTS', KEYS[2], 'g')
remove(removed)
return { start, has_left }
