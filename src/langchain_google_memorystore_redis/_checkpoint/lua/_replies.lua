-- Beginning of a script that replies with fields, each once, however often it is named: the work
-- is bounded by what is stored, even where lists contain each other or themselves.
local fields, values, value_of, size = {}, {}, {}, 0

local function add(field)
  if value_of[field] == nil then
    local value = redis.call('HGET', KEYS[2], field)
    value_of[field] = value
    if value then
      fields[#fields + 1], values[#values + 1], size = field, value, size + #value
    end
  end
  return value_of[field]
end

local function add_value(field)
  local pending = { field }
  while #pending > 0 do
    local name = table.remove(pending)
    local value = value_of[name] == nil and add(name)
    if value and string.sub(name, 1, 1) == 'l' then
      for first = (string.find(value, ':', 1, true) or #value) + 1, #value, 17 do
        pending[#pending + 1] = string.sub(value, first, first + 16)
      end
    end
  end
end
