-- Removes values that nothing refers to, and lists fields among which to look for more.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  name of the sweep
-- ARGV[2]  cursor from which to list, '' to list nothing, 'last' to end the sweep
-- ARGV[3]  number of fields to look through, about
-- ARGV[4]  size in bytes of the values to look at, about
-- ARGV[5]... fields that no record refers to, or did when the sweep looked
-- Returns nothing if the sweep is over: another has begun, or a record was removed or replaced.
-- Else how many of these fields were dealt with, the next cursor or '', and the fields listed.
if redis.call('HGET', KEYS[2], 'g') ~= ARGV[1] then return false end
local limit, page_bytes = tonumber(ARGV[3]), tonumber(ARGV[4])
local removed, found, cursor, size, count, looked = {}, {}, ARGV[2], 0, 0, 0

for i = 5, #ARGV do
  if size >= page_bytes then break end
  local value = redis.call('HGET', KEYS[2], ARGV[i])
  -- What has been stored since the sweep began carries its name.
  if value and string.sub(value, 1, #ARGV[1]) ~= ARGV[1] then removed[#removed + 1] = ARGV[i] end
  size, count = size + #(value or ''), count + 1
end
if #removed > 0 then redis.call('HDEL', KEYS[2], unpack(removed)) end
local is_done, left = count == #ARGV - 4, cursor

if is_done and cursor == 'last' then
  redis.call('HDEL', KEYS[2], 'g')
elseif is_done and cursor ~= '' then
  repeat
    local page = redis.call('HSCAN', KEYS[2], left, 'COUNT', 10)
    left = page[1]
    for i = 1, #page[2], 2 do
      size, looked = size + #page[2][i + 1], looked + 1
      if string.find(page[2][i], '^[el]') then found[#found + 1] = page[2][i] end
    end
  until left == '0' or looked >= limit or size >= page_bytes
  if left == '0' then left = '' end
end
return { count, left, found }
