-- Keeps the newest checkpoint of each namespace with all it needs, and frees the rest.
-- What is kept is read and written anew, so the cost does not depend on what is freed.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- Returns how many checkpoints were kept.
redis.call('HLEN', KEYS[2]) -- refuses a key of another type
local kept, names, held, count, from = {}, {}, {}, 0, '[c'

local function keep(field)
  local value = held[field] or redis.call('HGET', KEYS[2], field)
  if value and not held[field] then
    held[field], kept[#kept + 1], kept[#kept + 2] = value, field, value
    if string.find(field, '^[cw]') then names[#names + 1] = field end
  end
  return value
end
local function keep_value(field)
  local value = keep(field)
  for i = 2, value and string.find(value, '^L') and #value or 0, 16 do
    keep_value('e' .. string.sub(value, i, i + 15))
  end
  return value
end
local function keep_writes(low, high)
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[w' .. low, '(w' .. high)) do keep(name) end
end

while true do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], from, '(d', 'LIMIT', 0, 1)[1]
  if not name then break end
  local space, missing, is_newest = string.match(name, '^c([^\1]*)'), {}, true
  from = '[c' .. space .. '\2'
  name = redis.call('ZREVRANGEBYLEX', KEYS[1], '(c' .. space .. '\2', '[' .. name, 'LIMIT', 0, 1)[1]
  keep_writes(string.sub(name, 2), space .. '\2') -- those of checkpoints still on their way, too
  while name and not held[name] and keep(name) do
    count = count + 1
    keep_writes(string.sub(name, 2) .. '\1', string.sub(name, 2) .. '\2')
    local head = string.sub(held[name], 1, string.find(held[name], '\0\0', 1, true))
    local parent, deltas = string.match(head, '^p([^%z]*)%zr[^%z]*%zd([^%z]*)%z')
    -- The value of a delta channel is made from the writes of ancestors, back to one with a value.
    for channel in string.gmatch(is_newest and deltas or '', '[^\1]+') do missing[channel] = true end
    for version in string.gmatch(head, '%zv([^%z]+)') do
      local value = keep_value('v' .. space .. '\1' .. version)
      if value then missing[string.match(version, '^[^\1]*')] = nil end
    end
    name, is_newest = next(missing) and 'c' .. space .. '\1' .. parent, false
  end
end

local ttl = redis.call('PTTL', KEYS[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
for i = 1, #kept, 2 do redis.call('HSET', KEYS[2], kept[i], kept[i + 1]) end
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], 0, name) end
for i = 1, ttl > 0 and 2 or 0 do redis.call('PEXPIRE', KEYS[i], ttl) end
return count
