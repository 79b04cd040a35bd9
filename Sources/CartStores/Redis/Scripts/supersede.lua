-- PostgreSQL has registered a newer history than the one that this Redis is in: from here on it changes no cart. If it was
-- registered anew meanwhile, this comes too late.
local history, gate = unpack(KEYS)
local word, newer = unpack(ARGV)
local own = string.match(redis.call('GET', history) or '', '^[^|]*|(%d+)')
if own and tonumber(own) >= tonumber(newer) then return 0 end
redis.call('SET', gate, word)
return 1
