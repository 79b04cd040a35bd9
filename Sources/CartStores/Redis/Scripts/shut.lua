-- Closes Redis, if PostgreSQL has all of it: no cart changes until somebody takes the word away.
-- KEYS: gate, dirty, stream. ARGV: word.
local word = redis.call('GET', KEYS[1])
if word and word ~= '1' then return 0 end
if redis.call('ZCARD', KEYS[2]) > 0 or redis.call('XLEN', KEYS[3]) > 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
