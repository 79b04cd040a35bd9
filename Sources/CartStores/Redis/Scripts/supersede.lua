-- PostgreSQL has registered a newer history than the one that this Redis is in: from here on it changes no cart. Where it
-- was registered anew meanwhile, this comes too late.
-- KEYS: history, gate. ARGV: word, number of the newer history.
local own = string.match(redis.call('GET', KEYS[1]) or '', '^[^|]*|(%d+)')
if own and tonumber(own) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
return 1
