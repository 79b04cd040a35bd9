-- Keeps what PostgreSQL has answered for a miss, unless the catalogue has moved on since it was asked.
-- KEYS: catalogue version, catalogue. ARGV: catalogue version; then SKU and entry in turns.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 2 do redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1]) end
return 1
