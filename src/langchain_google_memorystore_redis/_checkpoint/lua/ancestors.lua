-- Walks from a checkpoint to its ancestors until each channel has a value, and reads on the way
-- those values and the pending writes to the channels.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  highest name to begin at
-- ARGV[2]  lowest name to begin at
-- ARGV[3]  how many ancestors at the most
-- ARGV[4]... the channels, escaped
-- Returns 1 if there are more, else 0; names of ancestors; the fields read; what each field holds.
local names, fields, values, missing, more = {}, {}, {}, {}, 0
for i = 4, #ARGV do missing[ARGV[i]] = true end

local function take(field, value)
  fields[#fields + 1], values[#values + 1] = field, value
end

local function take_value(field)
  local value = redis.call('HGET', KEYS[2], field)
  if value then take(field, value) end
  for i = 2, value and string.sub(value, 1, 1) == 'L' and #value or 0, 16 do
    take_value('e' .. string.sub(value, i, i + 15))
  end
  return value
end

local function parent_of(name)
  local record = name and redis.call('HGET', KEYS[2], name)
  local parent = record and string.match(record, '^p([^%z]+)')
  return parent and string.match(name, '^c[^\1]*\1') .. parent
end

local start = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, 1)[1]
local name = parent_of(start)
while name and next(missing) do
  local record = redis.call('HGET', KEYS[2], name)
  if not record then break end
  if #names == tonumber(ARGV[3]) then more = 1 break end
  names[#names + 1] = name
  take(name, record)
  local low = string.sub(name, 2)
  for _, write in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[w' .. low .. '\1', '(w' .. low .. '\2')) do
    local value = redis.call('HGET', KEYS[2], write)
    if value and missing[string.match(value, '^[^%z]*%z([^%z]*)%z')] then take(write, value) end
  end
  for version in string.gmatch(string.sub(record, 1, string.find(record, '\0\0', 1, true)), '%zv([^%z]+)') do
    local channel = string.match(version, '^[^\1]*')
    local field = 'v' .. string.match(low, '^[^\1]*\1') .. version
    if missing[channel] and take_value(field) then missing[channel] = nil end
  end
  name = parent_of(name)
end
return { more, names, fields, values }
