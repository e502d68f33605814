-- Appends a batch of elements to a session, once, even if the batch is sent again.
-- KEYS[1]  the session's list
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  limit of messages in the session, 0 for none
-- ARGV[3]  length of the session as the writer knew it before it first sent the batch, -1 if unknown
-- ARGV[4]... the elements
-- Returns the length of the session after the append.
local key, ttl, max_messages, known_length = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local length = redis.call('LLEN', key)

-- A batch sent before is among the elements that the writer did not know of. A trim by another
-- writer moves those to lower indices, so at least 64 are searched; the upper bound keeps the server
-- responsive. The known length says nothing if the session was cut since, if this writer limits it,
-- or if it is unknown because the batch may have been sent: then the upper bound is searched.
local window = 10000
if max_messages == 0 and known_length >= 0 and known_length <= length then
  window = math.max(64, math.min(length - known_length, window))
end
local last = ARGV[#ARGV]
local found = redis.pcall('LPOS', key, last, 'RANK', -1, 'MAXLEN', window)
if type(found) == 'table' then
  -- QUIRK(redis<6.0.6): there is no LPOS. Remove when Redis 6.2 is the oldest.
  local newest = redis.call('LRANGE', key, -math.min(window, 1000), -1)
  found = false
  for i = #newest, 1, -1 do
    if newest[i] == last then found = true break end
  end
end
if found then
  -- A write that changes nothing: a server that has become a replica must not confirm the batch, and
  -- Valkey's WAIT counts the replicas that have the newest write of its own connection.
  redis.call('LSET', key, -1, redis.call('LINDEX', key, -1))
  return length
end

-- Lua unpacks a few thousand values at most.
for first = 4, #ARGV, 1000 do
  length = redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if max_messages > 0 and length > max_messages then
  -- A tool result whose call is cut off goes with it: no chat model accepts it. A call has few
  -- results; the limit of 1,000 is for lists of nothing else, which would take the server seconds.
  local results = { tool = true, ToolMessageChunk = true, ['function'] = true, FunctionMessageChunk = true }
  local cut = length - max_messages
  local limit = cut + 1000
  local front = redis.call('LINDEX', key, cut)
  while front and cut < limit and results[string.match(front, '^{"type": ?"(%a+)"') or ''] do
    cut = cut + 1
    front = redis.call('LINDEX', key, cut)
  end
  redis.call('LTRIM', key, cut, -1)
  length = length - cut
end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return length
