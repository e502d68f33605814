-- Describes a session without reading its messages.
-- KEYS[1]  list of the session
-- Returns number of messages, bytes, times of the first and the last message, and time to live, in
-- milliseconds, each -1 if unknown; nil if the key is not a session.
local key = KEYS[1]
if redis.call('TYPE', key).ok ~= 'list' then return false end

local first, last = redis.call('LINDEX', key, 0), redis.call('LINDEX', key, -1)
local message = '^%s*{%s*"type"'
-- Neither end is a message: a list of something else, such as a queue of jobs. One end alone may be
-- a corrupt entry.
if not (string.find(first, message) or string.find(last, message)) then return false end

local function written_at(element)
  return tonumber(string.match(element, '"ts": ?(%d+)}$') or -1)
end
-- A user may lack permission for this command alone: before Redis 7 it is not in @read.
local bytes = redis.pcall('MEMORY','USAGE', key)
if type(bytes) ~= 'number' then bytes = -1 end
return { redis.call('LLEN', key), bytes, written_at(first), written_at(last), redis.call('PTTL', key) }
