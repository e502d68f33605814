-- Deletes a session, but no key that is something else.
-- KEYS[1]  list of the session
-- ARGV[1]  1 to delete only a list of messages, 0 for any list
-- Returns 1 if it was deleted, 0 if there was none, -1 if the key is something else.
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
