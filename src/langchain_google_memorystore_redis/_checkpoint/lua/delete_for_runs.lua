-- Removes the checkpoints of a page that certain runs have stored, each after its pending writes.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  lower bound of the names to examine
-- ARGV[2]  number of names to examine, and to remove, at the most
-- ARGV[3]  size in bytes at which the page ends
-- ARGV[4]... ids of the runs, escaped, none of them empty
-- Returns the lower bound of the names that are left, or nothing at the end.
local limit, page_bytes = tonumber(ARGV[2]), tonumber(ARGV[3])
local removed, is_deleted, size = {}, {}, 0
for i = 4, #ARGV do is_deleted[ARGV[i]] = true end

local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '(d', 'LIMIT', 0, limit)
local following = #names == limit and '(' .. names[limit]
for _, name in ipairs(names) do
  if #removed >= limit or size >= page_bytes then following = '[' .. name break end
  local record = redis.call('HGET', KEYS[2], name) or ''
  local _, run = string.match(record, HEAD)
  size = size + #record
  if run ~= '' and is_deleted[run] then
    local writes = writes_of(name, limit - #removed)
    for _, write in ipairs(writes) do removed[#removed + 1] = write end
    if #removed >= limit then following = '[' .. name break end
    removed[#removed + 1] = name
  end
end
remove(removed)
return following
