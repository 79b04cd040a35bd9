-- Freezes a guest's cart, if it is still as it was read, so that it can be merged. epoch, version: '' if it lacks one.
local cart, dirty = unpack(KEYS)
local history, epoch, version, target = unpack(ARGV)
local has = redis.call('HMGET', cart, '#l', '#e', '#v', '#s')
if has[1] ~= history or (has[2] or '') ~= epoch or (has[3] or '') ~= version or has[4] then return 0 end
redis.call('HSET', cart, '#s', '1', '#o', target)
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
return 1
