-- Keeps the newest checkpoint of each namespace with all that it needs, and removes the rest.
-- What is kept is read and written anew, so that the cost does not depend on what is removed.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- Returns nothing.
redis.call('HLEN', KEYS[2]) -- fails for another type
local fields, names, value_of, start = {}, {}, {}, '[c'

local function keep(field)
  if value_of[field] then return value_of[field] end
  local value = redis.call('HGET', KEYS[2], field)
  if not value then return false end
  value_of[field], fields[#fields + 1] = value, field
  if string.find(field, '^[cw]') then
    names[#names + 1] = field
  elseif string.find(value, '^L') then
    for i = 2, #value, 16 do keep('e' .. string.sub(value, i, i + 15)) end
  end
  return value
end
local function keep_writes(low, high)
  for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[w' .. low, '(w' .. high)) do keep(name) end
end

-- The namespaces of checkpoints, then those of writes.
while true do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], start, '+', 'LIMIT', 0, 1)[1]
  if not name then break end
  local kind, namespace = string.match(name, '^(.)([^\1]*)')
  local low, high, missing, is_newest = namespace .. '\1', namespace .. '\2', {}, true
  start = '[' .. kind .. high
  name = redis.call('ZREVRANGEBYLEX', KEYS[1], '(c' .. high, '[c' .. low, 'LIMIT', 0, 1)[1]
  -- Writes may arrive before their checkpoint: keep those above the newest, or all if there is none.
  keep_writes(name and string.sub(name, 2) or low, high)
  while name and not value_of[name] and keep(name) do
    keep_writes(string.sub(name, 2) .. '\1', string.sub(name, 2) .. '\2')
    local head = string.sub(value_of[name], 1, string.find(value_of[name], '\0\0', 1, true))
    local parent, deltas = string.match(head, '^p([^%z]*)%zr[^%z]*%zd([^%z]*)%z')
    -- The value of a delta channel is made from ancestors' writes, back to the last one with a value.
    for channel in string.gmatch(is_newest and deltas or '', '[^\1]+') do missing[channel] = true end
    for version in string.gmatch(head, '%zv([^%z]+)') do
      if keep('v' .. low .. version) then missing[string.match(version, '^[^\1]*')] = nil end
    end
    name, is_newest = next(missing) and 'c' .. low .. parent, false
  end
end

local ttl = redis.call('PTTL', KEYS[1])
redis.call('UNLINK', KEYS[1], KEYS[2])
for _, field in ipairs(fields) do redis.call('HSET', KEYS[2], field, value_of[field]) end
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], 0, name) end
if ttl >= 0 then -- a key in its last millisecond has 0 left, and expires too
  for i = 1, 2 do redis.call('PEXPIRE', KEYS[i], math.max(ttl, 1)) end
end
return false
