-- Lets go of a cart that nobody has used for long, if PostgreSQL has all of it.
-- KEYS: cart, dirty, active. ARGV: history, tag of the database, time before which it was last used.
local cart, dirty, active = KEYS[1], KEYS[2], KEYS[3]
local has = redis.call('HMGET', cart, '#l', '#v', '#p', '#d', '#s')
if has[1] ~= ARGV[1] or has[2] ~= has[3] or has[4] ~= ARGV[2] or has[5] then return 0 end
if redis.call('ZSCORE', dirty, cart) then return 0 end
local used = redis.call('ZSCORE', active, cart)
if used and tonumber(used) >= tonumber(ARGV[3]) then return 0 end
redis.call('ZREM', active, cart)
return redis.call('UNLINK', cart)
