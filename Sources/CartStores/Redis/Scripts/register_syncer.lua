-- A syncer says that it lives. The first one reads the stream, as long as it says so often enough; the carts are shared by
-- all that live.
-- KEYS: syncers, reader. ARGV: name, milliseconds after which a syncer counts as dead, milliseconds after which it is
-- forgotten, '1' for one that takes its part of the carts. The answer: 1 for the one that was the reader before, 2 for the
-- one that has become it now, 0 for others; the rank among those that live; their number.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[4] == '1' then redis.call('ZADD', KEYS[1], string.format('%d', now), ARGV[1]) end
local reader, is_reader = redis.call('GET', KEYS[2]), 0
if not reader or reader == ARGV[1] then
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
  is_reader = reader and 1 or 2
end
local all, living = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), {}
for i = 1, #all, 2 do
  local age = now - all[i + 1]
  if age < -60000 or age > tonumber(ARGV[3]) then
    redis.call('ZREM', KEYS[1], all[i])
  elseif age < tonumber(ARGV[2]) then
    living[#living + 1] = all[i]
  end
end
table.sort(living)
local rank = 0
for i, name in ipairs(living) do
  if name == ARGV[1] then rank = i - 1 end
end
return {is_reader, rank, #living}
