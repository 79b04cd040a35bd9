-- Lets go of the place of a cart, if it is still held by the token.
local lease, token = KEYS[1], ARGV[1]
return redis.call('GET', lease) == token and redis.call('DEL', lease) or 0
