-- Holds the place of a cart for the process that shows a token. It is left to the one that holds it, until that takes too
-- long: several that took it from each other would never come to an end. If more time is left than was given, the clock
-- has stepped back, and nobody knows for how long it has been held. given: milliseconds for which it is held; undisturbed:
-- for how many of them it is left alone.
local lease = KEYS[1]
local token, given, undisturbed = unpack(ARGV)
local has = redis.call('GET', lease)
-- The word for a cart that there is none of has a space in it.
if has and has ~= token and not string.find(has, ' ', 1, true) then
  local left = redis.call('PTTL', lease)
  if left > given - undisturbed and left <= tonumber(given) then return 0 end
end
redis.call('SET', lease, token, 'PX', given)
return 1
