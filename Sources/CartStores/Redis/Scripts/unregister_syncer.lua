-- A syncer ends: another one may read the stream at once.
local syncers, reader = unpack(KEYS)
local name = ARGV[1]
redis.call('ZREM', syncers, name)
if redis.call('GET', reader) == name then redis.call('DEL', reader) end
return 1
