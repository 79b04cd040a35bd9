-- A frozen cart was merged: what stays is the word that it is spent, for a while.
-- KEYS: cart, dirty, active, hold. ARGV: lineage, seconds.
local cart, dirty, active = KEYS[1], KEYS[2], KEYS[3]
local has = redis.call('HMGET', cart, '#l', '#s')
if has[1] ~= ARGV[1] or has[2] ~= '1' then return 0 end
redis.call('DEL', cart)
redis.call('SET', KEYS[4], 'spent ' .. ARGV[1], 'EX', ARGV[2])
redis.call('ZREM', dirty, cart)
redis.call('ZREM', active, cart)
return 1
