-- Takes in stock that has moved; it is seen at once. A product that is not here is asked of PostgreSQL when it is wanted;
-- but who has just asked may have the stock of before, and is told by the new token. For each product follow its SKU, its
-- stock ('' if it is not counted) and the movement's number.
local catalogue, token = unpack(KEYS)
local names, sets, is_told = {}, {}, true
for i = 1, #ARGV, 3 do names[#names + 1] = ARGV[i] end
for i, entry in ipairs(redis.call('HMGET', catalogue, unpack(names))) do
  local sku, stock, moved = unpack(ARGV, 3 * i - 2, 3 * i)
  local revision, _, catalogue_version, present = unpack_entry(entry or '')
  if not revision then
    is_told = false
  elseif tonumber(present) < tonumber(moved) then
    sets[#sets + 1] = sku
    sets[#sets + 1] = pack_entry(revision, stock, catalogue_version, moved)
  end
end
if #sets > 0 then redis.call('HSET', catalogue, unpack(sets)) end
if #sets > 0 or not is_told then renew(token) end
return #sets / 2
