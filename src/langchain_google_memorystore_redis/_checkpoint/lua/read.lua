-- Reads checkpoints of a thread, newest first, and all that they refer to.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds to renew, 0 to leave the expiry alone
-- ARGV[2]  number of checkpoints at the most
-- ARGV[3]  size in bytes at which the page ends
-- ARGV[4]  '1' with values and writes, '0' records alone
-- ARGV[5]  number of fields not to read, nor what they name, followed by them
-- ARGV[.]... highest and lowest name of each range
-- Returns 1 if there are more, else 0; the names; the fields read; their values.
redis.call('HLEN', KEYS[2]) -- fails for another type
local ttl, limit, page_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local names, has_more = {}, 0

local first = 6 + tonumber(ARGV[5])
for i = 6, first - 1 do value_of[ARGV[i]] = false end
for i = first, #ARGV, 2 do
  local wanted = limit - #names + 1 -- one more, to know whether there are more
  local found = redis.call('ZREVRANGEBYLEX', KEYS[1], ARGV[i], ARGV[i + 1], 'LIMIT', 0, wanted)
  for _, name in ipairs(found) do
    if #names == limit or (size >= page_bytes and #names > 0) then has_more = 1 break end
    local record = add(name)
    if record then names[#names + 1] = name end
    if record and ARGV[4] == '1' then
      local _, values_of_record = values_of(record)
      for _, field in ipairs(values_of_record) do add_value(field) end
      for _, write in ipairs(writes_of(name)) do add(write) end
    end
  end
  if has_more == 1 then break end
end
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return { has_more, names, fields, values }
