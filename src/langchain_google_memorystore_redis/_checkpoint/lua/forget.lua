-- Removes those checkpoints of a page that certain runs made, with their pending writes.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  where to begin, a lower bound for names
-- ARGV[2]  how many checkpoints to look at
-- ARGV[3]... the runs, escaped
-- Returns the last name looked at if there may be more, else nothing.
redis.call('HLEN', KEYS[2])
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '(d', 'LIMIT', 0, ARGV[2])
local gone = {}
for i = 3, #ARGV do gone[ARGV[i]] = true end

local function remove(fields)
  for first = 1, #fields, 1000 do
    local last = math.min(first + 999, #fields)
    redis.call('HDEL', KEYS[2], unpack(fields, first, last))
    redis.call('ZREM', KEYS[1], unpack(fields, first, last))
  end
end

for _, name in ipairs(names) do
  local run = string.match(redis.call('HGET', KEYS[2], name) or '', '^p[^%z]*%zr([^%z]*)%z')
  if run and gone[run] then
    local writes = 'w' .. string.sub(name, 2)
    remove(redis.call('ZRANGEBYLEX', KEYS[1], '[' .. writes .. '\1', '(' .. writes .. '\2'))
    remove({ name })
  end
end
-- Writes may be here before their checkpoint; values that no name is left for are of no use.
if redis.call('ZCARD', KEYS[1]) == 0 then redis.call('UNLINK', KEYS[2]) end
return #names == tonumber(ARGV[2]) and names[#names] or false
