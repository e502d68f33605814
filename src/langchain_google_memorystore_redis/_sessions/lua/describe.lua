-- Tells what is known of a session without reading it.
-- KEYS[1]  the session's list
-- Returns messages, bytes, times of the first and the last writing and of the end of its life in
-- milliseconds, each -1 where there is none; or nothing if the key is no session.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'list' then return false end

local first, last = redis.call('LINDEX', key, 0), redis.call('LINDEX', key, -1)
local message = '^%s*{%s*"type"'
-- A list of something else, such as a queue of jobs. Either end of a session may be corrupt.
if not (string.find(first, message) or string.find(last, message)) then return false end

local function written_at(element)
  return tonumber(string.match(element, '"ts": ?(%d+)}$') or -1)
end
-- A user may be allowed everything but this command, which is no part of @read before Redis 7.
local bytes = redis.pcall('MEMORY','USAGE', key)
if type(bytes) ~= 'number' then bytes = -1 end
return { redis.call('LLEN', key), bytes, written_at(first), written_at(last), redis.call('PTTL', key) }
