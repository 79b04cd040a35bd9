-- Lets go of the place of a cart, if it is still held by the token.
-- KEYS: hold. ARGV: token.
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
