-- Appends a batch of entries to a session, once, however often the same batch is sent.
-- KEYS[1]  the session's list
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  how many messages the session may hold, 0 for any number
-- ARGV[3]  how many messages the writer knew of before it first sent this batch, -1 if that is unsure
-- ARGV[4]... the entries
-- Returns how many messages the session holds now.
local key, ttl, most, known = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local length = redis.call('LLEN', key)

-- A batch sent before is among the entries that the writer did not know of. Another writer's trim
-- moves those to lower indices, so a few more are looked at; the upper bound keeps the server
-- responsive. A writer that does not know the session, or knew one that was cut since, or that
-- bounds it, so that its length says nothing, or that repeats a batch, has the upper bound.
local window = 10000
if most == 0 and known >= 0 and known <= length then
  window = math.max(64, math.min(length - known, window))
end
local last = ARGV[#ARGV]
local found = redis.pcall('LPOS', key, last, 'RANK', -1, 'MAXLEN', window)
if type(found) == 'table' then
  -- Before Redis 6.0.6 there is no LPOS.
  local newest = redis.call('LRANGE', key, -math.min(window, 1000), -1)
  found = false
  for i = #newest, 1, -1 do
    if newest[i] == last then found = true break end
  end
end
if found then
  -- A write that changes nothing: a server that has become a replica must not confirm the batch, and
  -- Valkey's WAIT asks about the newest write of its own connection.
  redis.call('LSET', key, -1, redis.call('LINDEX', key, -1))
  return length
end

-- Lua unpacks a few thousand values at the most.
for first = 4, #ARGV, 1000 do
  length = redis.call('RPUSH', key, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if most > 0 and length > most then
  -- A tool result whose call is cut off goes with it: no chat model accepts it. There are a few
  -- to a call; the bound is for lists of nothing else, which would take the server seconds.
  local results = { tool = true, ToolMessageChunk = true, ['function'] = true, FunctionMessageChunk = true }
  local cut = length - most
  local front = redis.call('LINDEX', key, cut)
  while front and cut < length - most + 1000 and results[string.match(front, '^{"type": ?"(%a+)"') or ''] do
    cut = cut + 1
    front = redis.call('LINDEX', key, cut)
  end
  redis.call('LTRIM', key, cut, -1)
  length = length - cut
end
if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end
return length
