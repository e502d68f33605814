-- Beginning of a script that removes checkpoints and pending writes.

-- Removes names, few enough for unpack(), and marks the thread for the next sweep. Removing comes
-- first: it is allowed on a full server, and so then is the mark. A key that may be gone is not
-- touched again: a cluster that is moving the slot would refuse that.
local function remove(names)
  if #names == 0 then return end
  if #names == redis.call('ZCARD', KEYS[1]) then
    redis.call('UNLINK', KEYS[1], KEYS[2])
  else
    local sweep = redis.call('HGET', KEYS[2], 'g')
    redis.call('ZREM', KEYS[1], unpack(names))
    redis.call('HDEL', KEYS[2], unpack(names))
    mark_garbage(sweep)
  end
end
