-- PostgreSQL was put back to an older state: what is published is not of its history. Whoever looks falls back on
-- PostgreSQL itself until the catalogue is published again.
-- KEYS: generation, catalogue. ARGV: the generation found, the generation that PostgreSQL has.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2])
return 1
