-- Closes Redis by a word, if PostgreSQL has all of it: no cart changes until somebody takes the word away. The keys behind
-- the stream are lists of carts that PostgreSQL lacks.
local gate, stream = unpack(KEYS, 1, 2)
local closing = ARGV[1]
local word = redis.call('GET', gate)
if word and word ~= '1' then return 0 end
if redis.call('XLEN', stream) > 0 then return 0 end
for i = 3, #KEYS do
  if redis.call('ZCARD', KEYS[i]) > 0 then return 0 end
end
redis.call('SET', gate, closing)
return 1
