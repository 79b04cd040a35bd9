-- Tells for how many seconds memory is short, '' if it is not. A word that closes Redis stays.
local gate, seconds = KEYS[1], ARGV[1]
local word = redis.call('GET', gate)
if word and word ~= '1' then return 0 end
if seconds == '' then return redis.call('DEL', gate) end
redis.call('SET', gate, '1', 'EX', seconds)
return 1
