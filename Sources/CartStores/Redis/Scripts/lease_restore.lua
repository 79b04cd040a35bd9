-- Holds the place of a cart for whoever shows a token. It is left to whoever holds it, until he takes too long: several
-- that took it from each other would never come to an end. Where more time is left than was given, the clock has stepped
-- back, and nobody knows for how long it has been held.
-- KEYS: hold. ARGV: token, milliseconds for which it is held, for how many of them it is left alone.
local has = redis.call('GET', KEYS[1])
-- The word for a cart that there is none of has a space in it.
if has and has ~= ARGV[1] and not string.find(has, ' ', 1, true) then
  local left, given = redis.call('PTTL', KEYS[1]), tonumber(ARGV[2])
  if left > given - ARGV[3] and left <= given then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
