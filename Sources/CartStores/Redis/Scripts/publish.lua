-- Takes in a batch of changed products, each as revision|stock|catalogue version|moved: the catalogue version tells how old the
-- revision is, the movement's number how old the stock. Neither replaces a later one, and none comes after a later
-- catalogue version was published: so two publishers at once are harmless.
-- KEYS: published catalogue version, catalogue. ARGV: catalogue version to be published; then SKU and entry in turns.
local names = {}
local published = redis.call('GET', KEYS[1])
if published and tonumber(published) > tonumber(ARGV[1]) then return 0 end
for i = 2, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local present, sets = redis.call('HMGET', KEYS[2], unpack(names)), {}
for i, name in ipairs(names) do
  local entry = ARGV[2 * i + 1]
  local revision, stock, catalogue_version, moved = parts(present[i] or '')
  if revision then
    local new_revision, new_stock, new_version, new_moved = parts(entry)
    if tonumber(new_version) > tonumber(catalogue_version) then revision, catalogue_version = new_revision, new_version end
    if tonumber(new_moved) > tonumber(moved) then stock, moved = new_stock, new_moved end
    entry = string.format('%s|%s|%s|%s', revision, stock, catalogue_version, moved)
  end
  if entry ~= present[i] then
    sets[#sets + 1] = name
    sets[#sets + 1] = entry
  end
end
if #sets > 0 then redis.call('HSET', KEYS[2], unpack(sets)) end
return #sets / 2
