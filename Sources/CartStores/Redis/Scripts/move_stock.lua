-- Takes in stock that has moved; it is seen at once. A product that is not here is asked of PostgreSQL when it is wanted;
-- but who has just asked may have the stock of before, and is told by the new token.
-- KEYS: catalogue, catalogue version. ARGV: SKU, stock ('' where it is not counted) and the movement's number in turns.
local names, sets, is_told = {}, {}, true
for i = 1, #ARGV, 3 do names[#names + 1] = ARGV[i] end
for i, entry in ipairs(redis.call('HMGET', KEYS[1], unpack(names))) do
  local revision, _, catalogue_version, moved = parts(entry or '')
  if not revision then
    is_told = false
  elseif tonumber(moved) < tonumber(ARGV[3 * i]) then
    sets[#sets + 1] = names[i]
    sets[#sets + 1] = string.format('%s|%s|%s|%s', revision, ARGV[3 * i - 1], catalogue_version, ARGV[3 * i])
  end
end
if #sets > 0 then redis.call('HSET', KEYS[1], unpack(sets)) end
if #sets > 0 or not is_told then renew(KEYS[2]) end
return #sets / 2
