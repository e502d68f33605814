-- Keeps the newest checkpoint of each namespace with all it needs, and frees the rest.
-- What is kept is read and written anew, so the cost does not depend on what is freed.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- Returns nothing.
redis.call('HLEN', KEYS[2]) -- refuses a key of another type
local kept, names, held, from = {}, {}, {}, '[c'

local function keep(field)
  local value = held[field] or redis.call('HGET', KEYS[2], field)
  if not value or held[field] then return value end
  held[field], kept[#kept + 1], kept[#kept + 2] = value, field, value
  local is_name = string.find(field, '^[cw]')
  if is_name then names[#names + 1] = field end
  for i = 2, not is_name and string.find(value, '^L') and #value or 0, 16 do
    keep('e' .. string.sub(value, i, i + 15))
  end
  return value
end
local function keep_writes(low, high)
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[w' .. low, '(w' .. high)) do keep(name) end
end

-- The namespaces of checkpoints, then those of writes.
while true do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, 1)[1]
  if not name then break end
  local kind, space = string.match(name, '^(.)([^\1]*)')
  local low, high, missing, is_newest = space .. '\1', space .. '\2', {}, true
  from = '[' .. kind .. high
  name = redis.call('ZREVRANGEBYLEX', KEYS[1], '(c' .. high, '[c' .. low, 'LIMIT', 0, 1)[1]
  -- Writes of checkpoints still on their way stay: above the newest, or all if there is none.
  keep_writes(name and string.sub(name, 2) or low, high)
  while name and not held[name] and keep(name) do
    keep_writes(string.sub(name, 2) .. '\1', string.sub(name, 2) .. '\2')
    local head = string.sub(held[name], 1, string.find(held[name], '\0\0', 1, true))
    local parent, deltas = string.match(head, '^p([^%z]*)%zr[^%z]*%zd([^%z]*)%z')
    -- The value of a delta channel is made from the writes of ancestors, back to one with a value.
    for channel in string.gmatch(is_newest and deltas or '', '[^\1]+') do missing[channel] = true end
    for version in string.gmatch(head, '%zv([^%z]+)') do
      if keep('v' .. low .. version) then missing[string.match(version, '^[^\1]*')] = nil end
    end
    name, is_newest = next(missing) and 'c' .. low .. parent, false
  end
end

local ttl = redis.call('PTTL', KEYS[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
for i = 1, #kept, 2 do redis.call('HSET', KEYS[2], kept[i], kept[i + 1]) end
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], 0, name) end
-- In its last millisecond a key has 0 left, and would have no end if that were taken for none.
for i = 1, ttl >= 0 and 2 or 0 do redis.call('PEXPIRE', KEYS[i], math.max(ttl, 1)) end
return false
