-- An index is a sorted set with up to two members for each item: 'u' and its name, with the time of
-- its last update in microseconds, and 'e' and its name, with minus the time in milliseconds at
-- which it expires, if it does. So the positive scores are the items, newest last.

-- Returns the server's time in milliseconds, by the expiry of a key that exists and has none. A user
-- with @read, @write and @scripting may not call TIME.
local function clock(key)
  local far = 253402300799000
  redis.call('PEXPIREAT', key, far)
  local now = far - redis.call('PTTL', key)
  redis.call('PERSIST', key)
  return now
end

local function whole(number) return string.format('%.0f', number) end

-- The head of a record is '1', times of creation and update, time to live, and four tokens.
local function is_head(head)
  return #head == 80 and string.find(string.sub(head, 1, 48), '^1%d+$') ~= nil
end

-- Removes some entries of items that expired a second ago or more: an item may outlive its entry by
-- the difference of two servers' clocks, and must stay listed.
local function clean(index, now, limit)
  local newest = whole(1000 - now)
  local expired = redis.call('ZRANGEBYSCORE', index, newest, '(0', 'LIMIT', 0, limit)
  for _, entry in ipairs(expired) do
    redis.call('ZREM', index, entry, 'u' .. string.sub(entry, 2))
  end
end
