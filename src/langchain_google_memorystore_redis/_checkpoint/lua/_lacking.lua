-- Beginning of put.lua: says which contents it was not sent and cannot rely on.

-- Returns the fields that are named, as a new value or in a list from ARGV[first] on, and neither
-- sent nor certain to be stored with all that they name. They are if there has been no sweep, or the
-- last has come to its end, so that no content is there of which a part has been removed.
local function find_lacking(first, fields, sweep)
  local is_known, lacking, is_whole = {}, {}, not sweep or sweep == '+'
  local function check(field)
    if is_known[field] then return end
    is_known[field] = true
    if not is_whole or redis.call('HEXISTS', KEYS[2], field) == 0 then lacking[#lacking + 1] = field end
  end
  for i = first, #ARGV, 2 do is_known[ARGV[i]] = true end
  for _, field in ipairs(fields) do check(field) end
  for i = first, #ARGV, 2 do
    if string.sub(ARGV[i], 1, 1) == 'l' then
      for at = 2, #ARGV[i + 1], 17 do check(string.sub(ARGV[i + 1], at, at + 16)) end
    end
  end
  return lacking
end
