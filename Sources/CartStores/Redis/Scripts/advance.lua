-- The catalogue is published up to a catalogue version; it never goes back.
-- KEYS: published catalogue version, catalogue version. ARGV: catalogue version.
local present = redis.call('GET', KEYS[1])
if present and tonumber(present) >= tonumber(ARGV[1]) then return present end
redis.call('SET', KEYS[1], ARGV[1])
renew(KEYS[2])
return ARGV[1]
