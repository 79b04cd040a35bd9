-- Takes in a batch of changed products. An entry (revision|stock|generation) never replaces one of a later generation,
-- and none comes after a later generation was published: so two publishers at once are harmless.
-- KEYS: generation, catalogue. ARGV: generation; then SKU and entry in turns.
local generation, names = tonumber(ARGV[1]), {}
local published = redis.call('GET', KEYS[1])
if published and tonumber(published) > generation then return 0 end
for i = 2, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local present, sets = redis.call('HMGET', KEYS[2], unpack(names)), {}
for i, name in ipairs(names) do
  local entry = present[i]
  local former = entry and tonumber(string.match(entry, '|(%d+)$'))
  if not former or former <= generation then
    sets[#sets + 1] = name
    sets[#sets + 1] = ARGV[2 * i + 1]
  end
end
if #sets > 0 then redis.call('HSET', KEYS[2], unpack(sets)) end
return #sets / 2
