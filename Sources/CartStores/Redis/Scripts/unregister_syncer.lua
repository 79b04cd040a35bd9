-- A syncer ends: another one may read the stream at once.
-- KEYS: syncers, reader. ARGV: name.
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
