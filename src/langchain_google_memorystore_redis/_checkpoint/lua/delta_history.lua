-- Reads, from a checkpoint's parent upwards until each channel has a value, the ancestors' records,
-- their values of these channels, and their pending writes to them.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  highest name of the checkpoint
-- ARGV[2]  lowest name of the checkpoint
-- ARGV[3]  number of ancestors to visit at the most
-- ARGV[4]  size in bytes at which the page ends
-- ARGV[5]  number of contents that are held, followed by the field of each value, not to be read, and
--          'w' and the beginning of the SHA-1 in hex of each write, of which that is returned after '='
-- ARGV[.]... the channels, escaped
-- Returns 1 if there are more, else 0; the ancestors' names; the fields read, of the records only
-- those that have a value; their values.
redis.call('HLEN', KEYS[2]) -- fails for another type
local limit, page_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local names, is_visited, missing, is_held, has_more = {}, {}, {}, {}, 0
local last = 5 + tonumber(ARGV[5])
for i = 6, last do
  if string.sub(ARGV[i], 1, 1) == 'w' then is_held[ARGV[i]] = true else value_of[ARGV[i]] = false end
end
for i = last + 1, #ARGV do missing[ARGV[i]] = true end

local function add_write(name, value)
  local hash = #value >= 128 and 'w' .. string.sub(redis.sha1hex(value), 1, 32)
  if not hash or not is_held[hash] then return add(name) end
  fields[#fields + 1], values[#values + 1] = name, '=' .. hash
end

local function parent_of(name)
  local record = name and redis.call('HGET', KEYS[2], name)
  local parent = record and string.match(record, HEAD)
  if not parent or parent == '' then return nil end
  return string.match(name, '^c[^\1]*\1') .. parent
end

local start = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, 1)[1]
local name = parent_of(start)
while name and next(missing) and not is_visited[name] do
  if #names == limit or (size >= page_bytes and #names > 0) then has_more = 1 break end
  is_visited[name] = true
  local record = redis.call('HGET', KEYS[2], name)
  if not record then break end
  size = size + #record
  names[#names + 1] = name
  for _, write in ipairs(writes_of(name)) do
    local value = redis.call('HGET', KEYS[2], write) or ''
    if missing[string.match(value, '^[^%z]*%z([^%z]*)%z') or ''] then add_write(write, value) else size = size + #value end
  end
  local versions, values_of_record = values_of(record)
  for i, version in ipairs(versions) do
    local channel = string.match(version, '^[^\1]*')
    if missing[channel] then
      add(name)
      add_value(values_of_record[i])
      missing[channel] = nil
    end
  end
  name = parent_of(name)
end
return { has_more, names, fields, values }
