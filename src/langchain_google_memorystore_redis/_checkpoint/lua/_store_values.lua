-- Beginning of a script that stores values. While the values of a thread are swept (mark.lua), what
-- is stored carries the sweep's name, even if it was there before: the sweep then leaves it alone.

-- Stores the fields and contents from ARGV[first] on that are values.
local function store_values(first, sweep)
  for i = first, #ARGV, 2 do
    if sweep and #sweep > 1 then
      redis.call('HSET', KEYS[2], ARGV[i], sweep .. ARGV[i + 1])
    else
      redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1])
    end
  end
end
