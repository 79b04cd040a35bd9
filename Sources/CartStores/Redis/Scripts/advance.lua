-- The catalogue is published up to a generation; it never goes back.
-- KEYS: generation. ARGV: generation.
local present = redis.call('GET', KEYS[1])
if present and tonumber(present) >= tonumber(ARGV[1]) then return present end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
