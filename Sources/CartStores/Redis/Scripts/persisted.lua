-- PostgreSQL has a copy of the cart. It counts as clean if it is still the same, and PostgreSQL was not put back since.
-- KEYS: cart, dirty, database. ARGV: 1 history, 2 epoch, 3 version, 4 end, 5 first part of the ring, 6 last command, 7 state
-- ('' for each that the copy lacks), 8 tag of the database ('' where it does not matter).
local cart, dirty = KEYS[1], KEYS[2]
local has = redis.call('HMGET', cart, '#l', '#e', '#v', '#x', '#r0', '#i', '#s', '#p')
if not has[1] and redis.call('EXISTS', cart) == 0 then return redis.call('ZREM', dirty, cart) end
if has[1] ~= ARGV[1] or (has[2] or '') ~= ARGV[2] then return 0 end
local version = tonumber(ARGV[3]) or 0
if version >= tonumber(has[8] or 0) then redis.call('HSET', cart, '#p', string.format('%d', version), '#d', ARGV[8]) end
local seen = ARGV[8] ~= '' and redis.call('GET', KEYS[3])
-- While carts are marked because the database has gone back, its next tag counts.
if seen and (string.match(seen, '^[^|]*|%d+|(.+)$') or string.match(seen, '^[^|]*')) ~= ARGV[8] then return 0 end
for i = 3, 7 do
  if (has[i] or '') ~= ARGV[i] then
    -- What is not persisted came just now.
    local time = redis.call('TIME')
    redis.call('ZADD', dirty, 'XX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
    return 0
  end
end
return redis.call('ZREM', dirty, cart)
