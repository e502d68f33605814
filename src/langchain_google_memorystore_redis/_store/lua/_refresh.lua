-- Starts the time to live of an item, its vectors and its entries anew, if it has one.
local function refresh(index, item, vectors, name, head)
  if not is_head(head) then return end
  local ttl = tonumber(string.sub(head, 34, 48))
  if ttl == 0 then return end
  redis.call('ZCARD', index) -- fails for another type
  redis.call('PEXPIRE', item, ttl)
  redis.call('PEXPIRE', vectors, ttl)
  redis.call('ZADD', index, string.sub(head, 18, 33), 'u' .. name)
  redis.call('ZADD', index, whole(-clock(index) - ttl), 'e' .. name)
end
