-- Frame of every script: runs the body and returns a server's error in its own words.
-- QUIRK(redis<7): Redis 5 and 6 wrap the words ("@user_script: 3: -OOM command not allowed ..."),
-- so that clients do not recognise OOM or READONLY. Remove when Redis 7 is the oldest server.
local function body()
--BODY--
end
local done, reply = pcall(body)
if done then return reply end
local words = type(reply) == 'table' and reply.err or tostring(reply)
words = string.gsub(words, '^.*@user_script: ?%d+: ?', '')
return redis.error_reply((string.gsub(words, '^%-', '')))
