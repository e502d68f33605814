-- Lists the namespaces of a thread, in order.
-- KEYS[1]  the thread's index
-- ARGV[1]  lower bound of the names
-- ARGV[2]  number of namespaces at the most
-- Returns the namespaces, escaped.
local namespaces, start = {}, ARGV[1]
while #namespaces < tonumber(ARGV[2]) do
  local name = redis.call('ZRANGEBYLEX', KEYS[1], start, '(d', 'LIMIT', 0, 1)[1]
  if not name then break end
  local namespace = string.match(name, '^c([^\1]*)')
  namespaces[#namespaces + 1] = namespace
  start = '[c' .. namespace .. '\2'
end
return namespaces
