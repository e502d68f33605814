-- Functions on the elements of a session, with which other scripts begin.

-- Returns whether a named element stands at its index, and how many elements follow that index.
local function stands(key, length, tail, index)
  if index >= 0 then index = index - length end -- from the end, where lists are quick
  local there = tail ~= '' and index < 0 and redis.call('LINDEX', key, index)
  return there and string.sub(there, -#tail) == tail, -1 - index
end

-- Returns the end of the newest element, which names it; '' if there is none, or it has no id.
local function newest_tail(key)
  local newest = redis.call('LINDEX', key, -1)
  return newest and string.match(newest, ', ?"id": ?"[^"]+", ?"ts": ?%d+}$', -96) or ''
end

-- Returns whether the id of an element begins with some characters.
local function has_id(element, ids)
  if not string.find(element, '"' .. ids, -96, true) then return false end -- far quicker
  local id = string.match(element, '"id": ?"([%w_-]+)", ?"ts": ?%d+}$', -96)
  return id and string.sub(id, 1, #ids) == ids
end

-- Returns whether a function returns true for one of the newest elements and its index from the end.
local function find(key, limit, matches)
  local last, count = -1, 16 -- it is usually one of the last
  while last >= -limit do
    local page = redis.call('LRANGE', key, math.max(last - count + 1, -limit), last)
    for i = #page, 1, -1 do
      if matches(page[i], last - #page + i) then return true end
    end
    if #page < count then return false end
    last, count = last - count, 256
  end
  return false
end

-- Returns whether an element with some end is among the newest elements.
local function find_tail(key, limit, tail)
  return find(key, limit, function(element) return string.sub(element, -#tail) == tail end)
end

-- Returns whether a part of a batch, which begins in ARGV at some index, is among the newest
-- elements. A trim cuts the beginning of the batch off, a truncate its end; if both did, then the
-- list begins with what is left.
local function find_bytes(key, limit, begin)
  local first, last = ARGV[begin], ARGV[#ARGV]
  local found = redis.pcall('LPOS', key, last, 'RANK', -1, 'MAXLEN', limit)
  if type(found) == 'table' then
    -- QUIRK(redis<6.0.6): there is no LPOS. Remove when Redis 6.2 is the oldest.
    found = find(key, limit, function(element) return element == last or element == first end)
  elseif not found and first ~= last then
    found = redis.call('LPOS', key, first, 'RANK', -1, 'MAXLEN', limit)
  end
  if found or #ARGV - begin < 2 then return found end
  local front = redis.call('LINDEX', key, 0)
  for i = begin, #ARGV do
    if ARGV[i] == front then return true end
  end
  return false
end
