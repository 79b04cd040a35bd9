-- Redis has no catalogue version, or PostgreSQL was put back to an older one: what is published can't be relied on. Whoever
-- looks falls back on PostgreSQL itself until the catalogue is published again. found: the catalogue version that Redis
-- had, '' for none. version: the one that PostgreSQL has.
local published_version, catalogue, token = unpack(KEYS)
local found, version = unpack(ARGV)
if (redis.call('GET', published_version) or '') ~= found and redis.call('EXISTS', token) == 1 then return 0 end
redis.call('UNLINK', catalogue)
redis.call('SET', published_version, version)
renew(token)
return 1
