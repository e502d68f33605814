-- Stores an item, once, even if the put is sent again.
-- KEYS[1]  index of the namespace
-- KEYS[2]  the item
-- KEYS[3]  its vectors
-- KEYS[4]  names of all namespaces, where they can be written in the same script
-- KEYS[5]  times of their last writes
-- ARGV[1]  name of the item
-- ARGV[2]  token of this put
-- ARGV[3]  time to live in milliseconds, 0 for none
-- ARGV[4]  the value
-- ARGV[5]  the vectors, '' for none
-- ARGV[6]  the writer's time in microseconds
-- ARGV[7]  name of the namespace, if there is KEYS[4]
-- Returns 1, or 0 if the item shows that this put has been here before.
local name, token, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local head = redis.call('GETRANGE', KEYS[2], 0, 79)
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local had_vectors = redis.call('STRLEN', KEYS[3]) > 0 -- fails for another type, as those below do
if KEYS[4] then
  redis.call('ZCARD', KEYS[4])
  redis.call('HLEN', KEYS[5])
end

local is_ours = is_head(head)
local tokens = is_ours and string.sub(head, 49) or string.rep('\0', 32)
if string.find(tokens, token, 1, true) then
  -- A write that changes nothing: a server that has become a replica must not confirm the put.
  redis.call('APPEND', KEYS[2], '')
  return 0
end

-- Times of update differ and grow within a namespace, whatever the clocks of writers do.
local updated = math.max(tonumber(ARGV[6]), (tonumber(newest[2]) or 0) + 1)
local created = is_ours and string.sub(head, 2, 17) or string.format('%016.0f', updated)
local times = created .. string.format('%016.0f%015.0f', updated, ttl)
local record = '1' .. times .. token .. string.sub(tokens, 1, 24) .. ARGV[4]

redis.call('ZADD', KEYS[1], whole(updated), 'u' .. name)
if ttl > 0 then
  redis.call('SET', KEYS[2], record, 'PX', ARGV[3])
  local now = clock(KEYS[1])
  redis.call('ZADD', KEYS[1], whole(-now - ttl), 'e' .. name)
  clean(KEYS[1], now, 10)
  if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[3]) end
else
  redis.call('SET', KEYS[2], record)
  local never_expired = is_ours and tonumber(string.sub(head, 34, 48)) == 0
  if not never_expired then redis.call('ZREM', KEYS[1], 'e' .. name) end
  if ARGV[5] ~= '' then redis.call('SET', KEYS[3], ARGV[5]) end
end
if KEYS[4] then
  redis.call('ZADD', KEYS[4], 0, ARGV[7])
  redis.call('HSET', KEYS[5], ARGV[7], ARGV[6])
end
if had_vectors and ARGV[5] == '' then redis.call('DEL', KEYS[3]) end
return 1
