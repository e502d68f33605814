-- Removes the checkpoints of a page that certain runs have stored, with their pending writes.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  lower bound of the names to examine
-- ARGV[2]  number of checkpoints to examine at the most
-- ARGV[3]... ids of the runs, escaped
-- Returns the last name examined if there may be more, else nothing.
redis.call('HLEN', KEYS[2]) -- fails for another type
local limit = tonumber(ARGV[2])
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '(d', 'LIMIT', 0, limit)
local is_deleted = {}
for i = 3, #ARGV do is_deleted[ARGV[i]] = true end

local function remove(fields)
  for first = 1, #fields, 1000 do -- unpack() is limited
    local last = math.min(first + 999, #fields)
    redis.call('HDEL', KEYS[2], unpack(fields, first, last))
    redis.call('ZREM', KEYS[1], unpack(fields, first, last))
  end
end

for _, name in ipairs(names) do
  local run = string.match(redis.call('HGET', KEYS[2], name) or '', '^p[^%z]*%zr([^%z]*)%z')
  if run and is_deleted[run] then
    local prefix = 'w' .. string.sub(name, 2)
    remove(redis.call('ZRANGEBYLEX', KEYS[1], '[' .. prefix .. '\1', '(' .. prefix .. '\2'))
    remove({ name })
  end
end
-- Not if writes are left: their checkpoint may come later. Values without a name are of no use.
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('UNLINK', KEYS[2]) end
return #names == limit and names[#names] or false
