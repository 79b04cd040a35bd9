-- Keeps what PostgreSQL has answered for a miss, unless the catalogue has moved on since it was asked. SKU and entry
-- follow in turns.
local catalogue_version, catalogue = unpack(KEYS)
local asked = ARGV[1]
if redis.call('GET', catalogue_version) ~= asked then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSETNX', catalogue, ARGV[i], ARGV[i + 1]) end
return 1
