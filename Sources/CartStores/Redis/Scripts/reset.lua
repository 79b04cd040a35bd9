-- Redis has no catalogue version, or PostgreSQL was put back to an older one: what is published can't be relied on. Whoever looks
-- falls back on PostgreSQL itself until the catalogue is published again.
-- KEYS: published catalogue version, catalogue, catalogue version. ARGV: the catalogue version found ('' none), the one that PostgreSQL has.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] and redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('UNLINK', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2])
renew(KEYS[3])
return 1
