-- Begins a sweep, and reads what the records of a thread refer to.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  name of the sweep
-- ARGV[2]  '1' to begin it, which ends any other
-- ARGV[3]  lower bound of the records to read, '' for none
-- ARGV[4]  number of records and lists to read at the most
-- ARGV[5]  size in bytes at which the page ends
-- ARGV[6]... fields of lists to read
-- Returns nothing if the sweep is over; else the next lower bound or '', the fields that the records
-- name, and the lists read, field and content of each.
if ARGV[2] == '1' then
  if redis.call('ZCARD', KEYS[1]) == 0 then return false end
  redis.call('HDEL', KEYS[2], 'g') -- after which a full server allows what follows
  redis.call('HSET', KEYS[2], 'g', ARGV[1])
elseif redis.call('HGET', KEYS[2], 'g') ~= ARGV[1] then
  return false
end
local limit, page_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local named, lists, is_named, pending, size, count = {}, {}, {}, {}, 0, 0

local function will_read(field)
  if not is_named[field] and string.sub(field, 1, 1) == 'l' then pending[#pending + 1] = field end
  is_named[field] = true
end
local function read_lists()
  while #pending > 0 and count < limit and size < page_bytes do
    local field = table.remove(pending)
    local value = redis.call('HGET', KEYS[2], field) or ''
    lists[#lists + 1], lists[#lists + 2] = field, value
    size, count = size + #value, count + 1
    for at = (string.find(value, ':', 1, true) or #value) + 1, #value, 17 do
      will_read(string.sub(value, at, at + 16))
    end
  end
end

for i = 6, #ARGV do will_read(ARGV[i]) end
read_lists()
local names, following = {}, ARGV[3]
if following ~= '' then
  names = redis.call('ZRANGEBYLEX', KEYS[1], following, '(d', 'LIMIT', 0, limit)
  if #names < limit then following = '' else following = '(' .. names[limit] end
end
for _, name in ipairs(names) do
  if count >= limit or size >= page_bytes then following = '[' .. name break end
  local record = redis.call('HGET', KEYS[2], name) or ''
  size, count = size + #record, count + 1
  local _, fields = values_of(record)
  for _, field in ipairs(fields) do
    if not is_named[field] then named[#named + 1] = field end
    will_read(field)
  end
  read_lists()
end
return { following, named, lists }
