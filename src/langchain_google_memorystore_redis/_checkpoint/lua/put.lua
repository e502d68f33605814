-- Stores a checkpoint and its new values, all or nothing, once. Its other values are those of its
-- parent: only what a stored record refers to is certain to be stored.
-- KEYS[1]  the thread's index
-- KEYS[2]  the thread's data
-- ARGV[1]  time to live in milliseconds, 0 for none
-- ARGV[2]  name of the checkpoint
-- ARGV[3]  name of its parent, '' for none
-- ARGV[4]  beginning of its head
-- ARGV[5]  its delta channels without a value
-- ARGV[6]  the rest of the record
-- ARGV[7]  number of values to take from the parent, followed by their versions
-- ARGV[.]  number of new values, followed by version and field of each
-- ARGV[.]... field and content of what the new values are stored in, except what may be there
-- Returns the versions that the parent does not have, and the fields that are neither sent nor
-- certain to be there; if there are any, nothing was changed.
local ttl, name, parent_name, deltas = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local parent = parent_name ~= '' and redis.call('HGET', KEYS[2], parent_name) or ''
local versions, fields, missing, field_of = { '' }, {}, {}, {}
local parent_versions, parent_fields = values_of(parent)
for i, version in ipairs(parent_versions) do field_of[version] = parent_fields[i] end

local last = 7 + tonumber(ARGV[7])
for i = 8, last do
  local found = field_of[ARGV[i]]
  if not found then missing[#missing + 1] = ARGV[i] end
  versions[#versions + 1], fields[#fields + 1] = ARGV[i], found
end
local first = last + 2
last = last + 1 + 2 * tonumber(ARGV[last + 1])
local sent = {}
for i = first, last, 2 do
  versions[#versions + 1], fields[#fields + 1], sent[#sent + 1] = ARGV[i], ARGV[i + 1], ARGV[i + 1]
end
local old, sweep = redis.call('HGET', KEYS[2], name), redis.call('HGET', KEYS[2], 'g')
local lacking = find_lacking(last + 1, sent, sweep)
if #missing + #lacking > 0 then return { missing, lacking } end
local record = ARGV[4] .. '\0d' .. deltas .. '\0l' .. lowest_id(name, parent_name, parent, deltas)
  .. table.concat(versions, '\0v') .. '\0\0' .. table.concat(fields) .. ARGV[6]

store_values(last + 1, sweep)
redis.call('HSET', KEYS[2], name, record)
redis.call('ZADD', KEYS[1], 0, name)
if old and old ~= record then mark_garbage(sweep) end
if ttl ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return { missing, lacking }
