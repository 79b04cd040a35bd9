-- Lets go of a cart that nobody has used since a time, if the database of the tag has all of it.
local cart, dirty, active = unpack(KEYS)
local history, tag, since = unpack(ARGV)
local has = redis.call('HMGET', cart, '#l', '#v', '#p', '#d', '#s')
if has[1] ~= history or has[2] ~= has[3] or has[4] ~= tag or has[5] then return 0 end
if redis.call('ZSCORE', dirty, cart) then return 0 end
local used = redis.call('ZSCORE', active, cart)
if used and tonumber(used) >= tonumber(since) then return 0 end
redis.call('ZREM', active, cart)
return redis.call('UNLINK', cart)
