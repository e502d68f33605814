-- Appends a batch of elements to a session, once, even if the batch is sent again.
-- KEYS[1]  list of the session
-- ARGV[1]  expiry in milliseconds, 0 for none
-- ARGV[2]  limit of messages in the session, 0 for none
-- ARGV[3]  end of the newest element that the writer knew when it first sent the batch; '' for none
-- ARGV[4]  index of that element; negative from the end
-- ARGV[5]  1 if a copy of the batch may precede that element
-- ARGV[6]  beginning of the ids of the batch, to find copies with other bytes; '' if there are none
-- ARGV[7]... elements
-- Returns the length after the append; or, if nothing was appended, {1 if the batch is there, 0 if
-- the named element is gone, length, end of the newest element}.
local key, ttl, max_messages, tail, ids = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[6]
local length = redis.call('LLEN', key)
local is_named, following = stands(key, length, tail, tonumber(ARGV[4]))

if not is_named or following > 0 or ARGV[5] == '1' then
  -- The upper bounds keep the server responsive.
  local window = is_named and ARGV[5] == '0' and following or length
  local found
  if ids == '' then
    found = find_bytes(key, math.min(window, 10000), 7)
  else
    found = find(key, math.min(window, 1000), function(element) return has_id(element, ids) end)
  end
  if found then
    -- A write that changes nothing: a server that has become a replica must not confirm the batch,
    -- and Valkey's WAIT counts the replicas that have the newest write of its own connection.
    redis.call('LSET', key, -1, redis.call('LINDEX', key, -1))
    return { 1, length, newest_tail(key) }
  end
  if tail ~= '' and not is_named and not find_tail(key, 1000, tail) then
    return { 0, length, newest_tail(key) }
  end
end

-- Lua unpacks a few thousand values at most.
for from = 7, #ARGV, 1000 do
  length = redis.call('RPUSH', key, unpack(ARGV, from, math.min(from + 999, #ARGV)))
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
