-- PostgreSQL has a copy of the cart. It counts as clean if it is still the same, and PostgreSQL was not put back since.
-- Behind the history comes what the copy has of epoch, version, end, first part of the ring, last command and state, ''
-- for each that it lacks. tag: of the database, '' if it does not matter.
local cart, dirty, database = unpack(KEYS)
local history, tag = ARGV[1], ARGV[8]
local copy = {unpack(ARGV, 2, 7)}
local present = redis.call('HMGET', cart, '#e', '#v', '#x', '#r0', '#i', '#s', '#l', '#p')
local own_history, persisted_version = present[7], present[8]
if not own_history and redis.call('EXISTS', cart) == 0 then return redis.call('ZREM', dirty, cart) end
if own_history ~= history or (present[1] or '') ~= copy[1] then return 0 end
local version = tonumber(copy[2]) or 0
if version >= tonumber(persisted_version or 0) then
  redis.call('HSET', cart, '#p', string.format('%d', version), '#d', tag)
end
local seen = tag ~= '' and redis.call('GET', database)
-- While carts are marked because the database has gone back, its next tag counts.
if seen and (string.match(seen, '^[^|]*|%d+|(.+)$') or string.match(seen, '^[^|]*')) ~= tag then return 0 end
for i = 2, #copy do
  if (present[i] or '') ~= copy[i] then
    -- What is not persisted came just now.
    local time = redis.call('TIME')
    redis.call('ZADD', dirty, 'XX', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)), cart)
    return 0
  end
end
return redis.call('ZREM', dirty, cart)
