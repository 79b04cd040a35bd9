-- A syncer says that it lives. The first one reads the stream, as long as it says so often enough; the carts are shared by
-- all that live. silence, memory: milliseconds after which a syncer counts as dead, and is forgotten. takes_carts: '1' for
-- one that takes its part of the carts. The answer: 1 for the one that was the reader before, 2 for the one that has
-- become it now, 0 for others; the rank among those that live; their number.
local syncers, reader_key = unpack(KEYS)
local name, silence, memory, takes_carts = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if takes_carts == '1' then redis.call('ZADD', syncers, string.format('%d', now), name) end
local reader, is_reader = redis.call('GET', reader_key), 0
if not reader or reader == name then
  redis.call('SET', reader_key, name, 'PX', silence)
  is_reader = reader and 1 or 2
end
local all, living = redis.call('ZRANGE', syncers, 0, -1, 'WITHSCORES'), {}
for i = 1, #all, 2 do
  local age = now - all[i + 1]
  if age < -60000 or age > tonumber(memory) then
    redis.call('ZREM', syncers, all[i])
  elseif age < tonumber(silence) then
    living[#living + 1] = all[i]
  end
end
table.sort(living)
local rank = 0
for i, other in ipairs(living) do
  if other == name then rank = i - 1 end
end
return {is_reader, rank, #living}
