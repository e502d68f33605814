-- Lists the namespaces of a thread, in order.
-- KEYS[1]  the thread's index
-- ARGV[1]  where to begin, a lower bound for names
-- ARGV[2]  how many at the most
-- Returns them, escaped.
local found, from = {}, ARGV[1]
while #found < tonumber(ARGV[2]) do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], from, '(d', 'LIMIT', 0, 1)[1]
  if not name then break end
  found[#found + 1] = string.match(name, '^c([^\1]*)\1')
  from = '[c' .. found[#found] .. '\2'
end
return found
