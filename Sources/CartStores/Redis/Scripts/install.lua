-- Puts a cart that was compared with PostgreSQL into its place, if nobody else has begun to meanwhile, and the cart is
-- still the one that was compared: who has not noticed yet that Redis began another history changes it all the same.
-- former_history, epoch and version are of what was compared, 0 for each that it lacks. ending: the second of the cart's
-- end, '' for none. used: the time of its last use, '' for what is left of a merged cart. Its fields follow; without
-- fields there is no cart: then ending are the seconds for which that is remembered, and used is the word for it.
local cart, lease, dirty, active = unpack(KEYS)
local token, history, former_history, epoch, version, ending, used = unpack(ARGV, 1, 7)
if redis.call('HGET', cart, '#l') == history then return 'PRESENT' end
if redis.call('GET', lease) ~= token then return 'LOST' end
local has = redis.call('HMGET', cart, '#l', '#e', '#v')
for i, compared in ipairs({former_history, epoch, version}) do
  if tonumber(has[i] or 0) ~= tonumber(compared) then return 'LOST' end
end
redis.call('DEL', cart, lease)
if #ARGV == 7 then
  redis.call('SET', lease, used .. ' ' .. history, 'EX', ending)
  redis.call('ZREM', dirty, cart)
  return 'INSTALLED'
end
-- unpack takes less than 8,000 values.
for i = 8, #ARGV, 4000 do redis.call('HSET', cart, unpack(ARGV, i, math.min(i + 3999, #ARGV))) end
if ending ~= '' then redis.call('EXPIREAT', cart, ending) end
if used ~= '' then redis.call('ZADD', active, 'GT', used, cart) else redis.call('ZREM', active, cart) end
local time = redis.call('TIME')
redis.call('ZADD', dirty, 'NX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
return 'INSTALLED'
