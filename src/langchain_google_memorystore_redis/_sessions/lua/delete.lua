-- Removes a session, and no key that is something else.
-- KEYS[1]  the session's list
-- ARGV[1]  1 to remove only a list that holds messages, 0 for any list
-- Returns 1 if it was removed, 0 if there was none, -1 if the key is something else.
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return 0 end
if kind ~= 'list' then return -1 end
if ARGV[1] == '1' then
  local message = '^%s*{%s*"type"'
  local first, last = redis.call('LINDEX', key, 0), redis.call('LINDEX', key, -1)
  if not (string.find(first, message) or string.find(last, message)) then return -1 end
end
return redis.call('UNLINK', key)
