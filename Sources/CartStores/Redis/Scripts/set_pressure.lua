-- Tells that memory is short, or is not. A word that closes Redis stays.
-- KEYS: gate. ARGV: seconds for which it is short ('' if it is not).
local word = redis.call('GET', KEYS[1])
if word and word ~= '1' then return 0 end
if ARGV[1] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], '1', 'EX', ARGV[1])
return 1
