-- Beginning of put.lua: says how far back the values of delta channels are made from ancestors, so
-- that a checkpoint can be pruned by comparing two ids, without a walk over its ancestors.

-- Returns the lowest of the ids that the values need; empty if any may be needed.
local function lowest_id(name, parent_name, parent, deltas)
  if deltas == '' then return string.match(name, '\1(.*)') end
  if parent_name == '' then return string.match(name, '\1(.*)') end
  if parent == '' then return '' end -- it may come later
  local has_value, is_delta, lowest = {}, {}, string.match(parent_name, '\1(.*)')
  for _, version in ipairs((values_of(parent))) do has_value[string.match(version, '^[^\1]*')] = true end
  local _, _, _, parent_deltas, parent_lowest = string.match(parent, HEAD)
  if not parent_deltas then return '' end -- no record of ours
  for channel in string.gmatch(parent_deltas, '[^\1]+') do is_delta[channel] = true end
  for channel in string.gmatch(deltas, '[^\1]+') do
    if not has_value[channel] then
      if not is_delta[channel] then return '' end
      -- Not by Lua's own comparison, which follows the server's locale.
      local bound = string.match(name, '^c[^\1]*\1') .. parent_lowest
      if redis.call('ZLEXCOUNT', KEYS[1], '[' .. parent_name, '(' .. bound) == 0 then lowest = parent_lowest end
    end
  end
  return lowest
end
