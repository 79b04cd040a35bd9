-- Takes in a batch of changed products: the catalogue version tells how old the revision is, the movement's number how old
-- the stock. Neither replaces a later one, and none comes after a later catalogue version was published: so two publishers
-- at once are harmless. version: the catalogue version to be published. SKU and entry follow in turns.
local published_version, catalogue = unpack(KEYS)
local version = ARGV[1]
local published = redis.call('GET', published_version)
if published and tonumber(published) > tonumber(version) then return 0 end
local names, entries = {}, {}
for i = 2, #ARGV, 2 do
  names[#names + 1] = ARGV[i]
  entries[#entries + 1] = ARGV[i + 1]
end
local present, sets = redis.call('HMGET', catalogue, unpack(names)), {}
for i, name in ipairs(names) do
  local entry = entries[i]
  local revision, stock, catalogue_version, moved = unpack_entry(present[i] or '')
  if revision then
    local new_revision, new_stock, new_version, new_moved = unpack_entry(entry)
    if tonumber(new_version) > tonumber(catalogue_version) then revision, catalogue_version = new_revision, new_version end
    if tonumber(new_moved) > tonumber(moved) then stock, moved = new_stock, new_moved end
    entry = pack_entry(revision, stock, catalogue_version, moved)
  end
  if entry ~= present[i] then
    sets[#sets + 1] = name
    sets[#sets + 1] = entry
  end
end
if #sets > 0 then redis.call('HSET', catalogue, unpack(sets)) end
return #sets / 2
