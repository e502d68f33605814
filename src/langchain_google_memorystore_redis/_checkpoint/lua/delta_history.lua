-- Reads, from a checkpoint's parent upwards until each channel has a value, the ancestors' records,
-- their values of these channels, and their pending writes to them.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  highest name of the checkpoint
-- ARGV[2]  lowest name of the checkpoint
-- ARGV[3]  number of ancestors to visit at the most
-- ARGV[4]... the channels, escaped
-- Returns 1 if there are more, else 0; the ancestors' names; the fields read; their values.
local limit = tonumber(ARGV[3])
local names, fields, values, missing, has_more = {}, {}, {}, {}, 0
for i = 4, #ARGV do missing[ARGV[i]] = true end

local function add(field, value)
  fields[#fields + 1], values[#values + 1] = field, value
end

local function add_value(field)
  local value = redis.call('HGET', KEYS[2], field)
  if not value then return false end
  add(field, value)
  if string.sub(value, 1, 1) == 'L' then
    for i = 2, #value, 16 do add_value('e' .. string.sub(value, i, i + 15)) end
  end
  return true
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
  if #names == limit then has_more = 1 break end
  names[#names + 1] = name
  add(name, record)
  local ids = string.sub(name, 2)
  for _, write in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[w' .. ids .. '\1', '(w' .. ids .. '\2')) do
    local value = redis.call('HGET', KEYS[2], write)
    if value and missing[string.match(value, '^[^%z]*%z([^%z]*)%z')] then add(write, value) end
  end
  for version in string.gmatch(string.sub(record, 1, string.find(record, '\0\0', 1, true)), '%zv([^%z]+)') do
    local channel = string.match(version, '^[^\1]*')
    local field = 'v' .. string.match(ids, '^[^\1]*\1') .. version
    if missing[channel] and add_value(field) then missing[channel] = nil end
  end
  name = parent_of(name)
end
return { has_more, names, fields, values }
