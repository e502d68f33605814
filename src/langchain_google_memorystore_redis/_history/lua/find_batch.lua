-- Finds the elements of a batch among the newest 1,000 elements of a session, by their ids.
-- KEYS[1]  list of the session
-- ARGV[1]  beginning of the ids of the batch
-- Returns {length, end of the newest element, index of the batch from the end, elements...}, the
-- newest first; the index is 0 if there are none.
local key, ids = KEYS[1], ARGV[1]
local reply = { redis.call('LLEN', key), newest_tail(key), 0 }
find(key, 1000, function(element, index)
  local is_of_batch = has_id(element, ids)
  if is_of_batch then
    reply[3], reply[#reply + 1] = index, element
  end
  return #reply > 3 and not is_of_batch -- a batch has no others in between
end)
return reply
