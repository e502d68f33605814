-- Lists names of namespaces in order, with the times of their last writes.
-- KEYS[1]  names of all namespaces
-- KEYS[2]  times of their last writes
-- ARGV[1]  lower bound
-- ARGV[2]  upper bound
-- ARGV[3]  number of names at the most, 1,000 or fewer
-- Returns the server's time in microseconds; the names; the times.
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
if #names == 0 then return { '0', names, names } end
local writes = redis.call('HMGET', KEYS[2], unpack(names))
return { whole(1000 * clock(KEYS[1])), names, writes }
