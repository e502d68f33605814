-- Reads checkpoints of a thread, newest first, and all they refer to.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds to renew, 0 to leave it alone
-- ARGV[2]  how many checkpoints at the most
-- ARGV[3]  how many bytes are enough
-- ARGV[4]  '1' with values and writes, '0' records alone
-- ARGV[5]... ranges of names: highest and lowest of each
-- Returns 1 if there are more, else 0; the names; the fields read; what each field holds.
redis.call('HLEN', KEYS[2]) -- refuses a key of another type
local ttl, most, enough = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local names, fields, values, held, size, more = {}, {}, {}, {}, 0, 0

local function take(field)
  if held[field] == nil then
    local value = redis.call('HGET', KEYS[2], field)
    held[field] = value
    if value then
      fields[#fields + 1], values[#values + 1], size = field, value, size + #value
    end
  end
  return held[field]
end

local function take_value(field)
  local value = take(field)
  for i = 2, value and string.find(value, '^L') and #value or 0, 16 do
    take_value('e' .. string.sub(value, i, i + 15))
  end
end

local function take_state(name, record)
  local space, writes = string.match(name, '^c([^\1]*\1)'), 'w' .. string.sub(name, 2)
  local head = string.sub(record, 1, string.find(record, '\0\0', 1, true))
  for version in string.gmatch(head, '%zv([^%z]+)') do take_value('v' .. space .. version) end
  writes = redis.call('ZRANGEBYLEX', KEYS[1], '[' .. writes .. '\1', '(' .. writes .. '\2')
  for _, write in ipairs(writes) do take(write) end
end

for at = 5, #ARGV, 2 do
  local limit = most - #names + 1
  local found = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[at], ARGV[at + 1], 'LIMIT', 0, limit)
  for _, name in ipairs(found) do
    if #names == most or (size >= enough and #names > 0) then more = 1 break end
    local record = take(name)
    if record then names[#names + 1] = name end
    if record and ARGV[4] == '1' then take_state(name, record) end
  end
  if more == 1 then break end
end
for i = 1, ttl == '0' and 0 or 2 do redis.call('PEXPIRE', KEYS[i], ttl) end
return { more, names, fields, values }
