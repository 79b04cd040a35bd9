-- PostgreSQL has handed out a higher epoch for a cart that goes on.
-- KEYS: cart, dirty. ARGV: history, epoch that it has, epoch that it is to have.
local has = redis.call('HMGET', KEYS[1], '#l', '#e')
if has[1] ~= ARGV[1] or (has[2] or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], '#e', ARGV[3])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), KEYS[1])
return 1
