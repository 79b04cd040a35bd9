-- Freezes a guest's cart, if it is still as it was read, so that it can be merged.
-- KEYS: cart, dirty. ARGV: history, epoch, version, what it merges into.
local has = redis.call('HMGET', KEYS[1], '#l', '#e', '#v', '#s')
if has[1] ~= ARGV[1] or (has[2] or '') ~= ARGV[2] or (has[3] or '') ~= ARGV[3] or has[4] then return 0 end
redis.call('HSET', KEYS[1], '#s', '1', '#o', ARGV[4])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), KEYS[1])
return 1
