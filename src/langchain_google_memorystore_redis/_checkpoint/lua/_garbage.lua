-- Beginning of a script that may leave values to which nothing refers.

-- Marks the thread for the next prune, and ends a sweep. '+' says that each content is stored with
-- all that it names; '-' that a sweep was not ended, so that parts of some may be gone.
local function mark_garbage(sweep)
  local is_whole = not sweep or sweep == '+'
  redis.call('HSET', KEYS[2], 'g', is_whole and '+' or '-')
end
