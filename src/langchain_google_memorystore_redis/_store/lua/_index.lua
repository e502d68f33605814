-- An index is a sorted set with up to two members for each item: 'u' and its name, with the time of
-- its last update in microseconds, and 'e' and its name, with minus the time in milliseconds at
-- which it expires, if it does. So the positive scores are the items, newest last.
local function clock()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function whole(number) return string.format('%.0f', number) end
local function to_ms(time) return math.floor(time / 1000) end

-- The head of a record is '1', times of creation and update, time to live, and four tokens.
local function is_head(head)
  return #head == 80 and string.find(string.sub(head, 1, 48), '^1%d+$') ~= nil
end

-- Removes some entries of items that expired a second ago or more: an item may outlive its entry by
-- the difference of two servers' clocks, and must stay listed.
local function clean(index, now, limit)
  local newest = whole(1000 - to_ms(now))
  local expired = redis.call('ZRANGEBYSCORE', index, newest, '(0', 'LIMIT', 0, limit)
  for _, entry in ipairs(expired) do
    redis.call('ZREM', index, entry, 'u' .. string.sub(entry, 2))
  end
end
