-- PostgreSQL has a newer copy than this one: it must be compared before its next use. epoch, version: '' if it lacks one.
local cart = KEYS[1]
local history, epoch, version = unpack(ARGV)
local has = redis.call('HMGET', cart, '#l', '#e', '#v')
if has[1] ~= history or (has[2] or '') ~= epoch or (has[3] or '') ~= version then return 0 end
return redis.call('HDEL', cart, '#l')
