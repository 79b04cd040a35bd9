-- Puts a cart that was compared with PostgreSQL into its place, if nobody else has begun to meanwhile, and the cart is
-- still the one that was compared: who has not noticed yet that Redis began another history changes it all the same.
-- KEYS: cart, hold, dirty, active. ARGV: 1 token, 2 history; 3 history, 4 epoch, 5 version of what was compared (0 for
-- each that it lacks); 6 second of its end ('' none), 7 time of its last use ('' for what is left of a merged cart); then its fields. Without fields there is
-- no cart: 6 are the seconds for which that is remembered, 7 the word for it.
local cart, hold, dirty, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', cart, '#l') == ARGV[2] then return 'PRESENT' end
if redis.call('GET', hold) ~= ARGV[1] then return 'LOST' end
local has = redis.call('HMGET', cart, '#l', '#e', '#v')
for i = 1, 3 do
  if tonumber(has[i] or 0) ~= tonumber(ARGV[i + 2]) then return 'LOST' end
end
redis.call('DEL', cart, hold)
if #ARGV == 7 then
  redis.call('SET', hold, ARGV[7] .. ' ' .. ARGV[2], 'EX', ARGV[6])
  redis.call('ZREM', dirty, cart)
  return 'INSTALLED'
end
-- unpack takes less than 8,000 values.
for i = 8, #ARGV, 4000 do redis.call('HSET', cart, unpack(ARGV, i, math.min(i + 3999, #ARGV))) end
if ARGV[6] ~= '' then redis.call('EXPIREAT', cart, ARGV[6]) end
if ARGV[7] ~= '' then redis.call('ZADD', active, 'GT', ARGV[7], cart) else redis.call('ZREM', active, cart) end
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
return 'INSTALLED'
