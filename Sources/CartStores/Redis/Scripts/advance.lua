-- The catalogue is published up to a version; it never goes back.
local published_version, token = unpack(KEYS)
local version = ARGV[1]
local present = redis.call('GET', published_version)
if present and tonumber(present) >= tonumber(version) then return present end
redis.call('SET', published_version, version)
renew(token)
return version
