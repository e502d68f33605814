-- Beginning of a script that parses records. A record is a head, the field of each value, the size
-- of the checkpoint and a null, the checkpoint, and its metadata. The head is, between nulls:
--   p  id of the parent, r  of the run, t  of the root graph's checkpoint above a subgraph's
--   d  the delta channels without a value here
--   l  lowest id that these are made from; empty if any may be
--   v  channel and version of each value
-- and ends in two nulls.
local HEAD = '^p([^%z]*)%zr([^%z]*)%zt([^%z]*)%zd([^%z]*)%zl([^%z]*)'

-- Returns the versions that have a value, and the fields of the values in the same order.
local function values_of(record)
  local versions, fields = {}, {}
  local last = string.find(record, '\0\0', 1, true) or 0
  for version in string.gmatch(string.sub(record, 1, last), '%zv([^%z]+)') do
    local first = last + 2 + 17 * #versions
    versions[#versions + 1] = version
    fields[#fields + 1] = string.sub(record, first, first + 16)
  end
  return versions, fields
end

-- Returns the names of a checkpoint's pending writes, at most so many, or all.
local function writes_of(name, most)
  local low, high = '[w' .. string.sub(name, 2) .. '\1', '(w' .. string.sub(name, 2) .. '\2'
  return redis.call('ZRANGEBYLEX', KEYS[1], low, high, 'LIMIT', 0, most or -1)
end
