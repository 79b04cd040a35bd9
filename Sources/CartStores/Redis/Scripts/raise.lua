-- PostgreSQL has handed out a higher epoch for a cart that goes on. former: the one that it has, '' if it lacks one.
local cart, dirty = unpack(KEYS)
local history, former, epoch = unpack(ARGV)
local has = redis.call('HMGET', cart, '#l', '#e')
if has[1] ~= history or (has[2] or '') ~= former then return 0 end
redis.call('HSET', cart, '#e', epoch)
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
return 1
