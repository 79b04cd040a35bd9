-- A frozen cart was merged: what stays, for as long as the guest's cart would have lived, is that it is spent. PostgreSQL
-- knows that as well, but may be put back to a state before it: then the carts that Redis has tell it anew.
-- seconds: for a cart without an end.
local cart, dirty, active = unpack(KEYS)
local history, seconds = unpack(ARGV)
local has = redis.call('HMGET', cart, '#l', '#s', '#e', '#v', '#x')
if has[1] ~= history or has[2] ~= '1' then return 0 end
redis.call('DEL', cart)
redis.call('HSET', cart, '#l', has[1], '#s', '2', '#e', has[3] or '0', '#v', has[4] or '0')
if has[5] then
  redis.call('HSET', cart, '#x', has[5])
  redis.call('EXPIREAT', cart, has[5])
else
  redis.call('EXPIRE', cart, seconds)
end
-- A syncer tells PostgreSQL of it once more: it may go back before any syncer has committed anything, so that none notices.
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
redis.call('ZREM', active, cart)
return 1
