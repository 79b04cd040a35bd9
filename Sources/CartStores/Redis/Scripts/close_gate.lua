-- Closes Redis, if PostgreSQL has all of it: no cart changes until somebody takes the word away.
-- KEYS: gate, stream, then lists of carts that PostgreSQL lacks. ARGV: word.
local word = redis.call('GET', KEYS[1])
if word and word ~= '1' then return 0 end
if redis.call('XLEN', KEYS[2]) > 0 then return 0 end
for i = 3, #KEYS do
  if redis.call('ZCARD', KEYS[i]) > 0 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
