-- Takes in a batch of changed products. An entry (revision|stock|stamp) never replaces one of a later stamp, and none
-- comes after a later generation was published: so two publishers at once are harmless.
-- KEYS: published generation, catalogue, generation. ARGV: generation to be published, or '' for movements of stock,
-- which are seen at once; then SKU and entry in turns.
local names = {}
local published = ARGV[1] ~= '' and redis.call('GET', KEYS[1])
if published and tonumber(published) > tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local function stamp(entry) return tonumber(string.match(entry, '|(%d+)$')) end
local present, sets = redis.call('HMGET', KEYS[2], unpack(names)), {}
for i, name in ipairs(names) do
  local former = present[i] and stamp(present[i])
  if not former or former < stamp(ARGV[2 * i + 1]) then
    sets[#sets + 1] = name
    sets[#sets + 1] = ARGV[2 * i + 1]
  end
end
if #sets > 0 then
  redis.call('HSET', KEYS[2], unpack(sets))
  if ARGV[1] == '' then renew(KEYS[3]) end
end
return #sets / 2
