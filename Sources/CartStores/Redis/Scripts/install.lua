-- Puts a cart that was compared with PostgreSQL into its place, if nobody else has begun to meanwhile.
-- KEYS: cart, hold, dirty, active. ARGV: 1 token, 2 lineage, 3 second of its end ('' none), 4 time of its last use; then
-- its fields. Without fields there is no cart: 3 are the seconds for which that is remembered, 4 the word for it.
local cart, hold, dirty, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if redis.call('HGET', cart, '#l') == ARGV[2] then return 'PRESENT' end
if redis.call('GET', hold) ~= ARGV[1] then return 'LOST' end
redis.call('DEL', cart, hold)
if #ARGV == 4 then
  redis.call('SET', hold, ARGV[4] .. ' ' .. ARGV[2], 'EX', ARGV[3])
  redis.call('ZREM', dirty, cart)
  return 'INSTALLED'
end
-- unpack takes less than 8,000 values.
for i = 5, #ARGV, 4000 do redis.call('HSET', cart, unpack(ARGV, i, math.min(i + 3999, #ARGV))) end
if ARGV[3] ~= '' then redis.call('EXPIREAT', cart, ARGV[3]) end
redis.call('ZADD', active, 'GT', ARGV[4], cart)
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
return 'INSTALLED'
