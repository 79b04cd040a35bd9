-- ARGV: 9 see limit.lua, 10 number of products; 3 for each: SKU, currency, merchant|price|revision; then the filter.
if pressure then return answer('FULL') end
if is_outdated then return answer('GENERATION') end
local currency, current = get('#c'), {}
local filter = 11 + 3 * ARGV[10]
for i = 11, filter - 1, 3 do
  if ARGV[i + 1] == currency then current[ARGV[i]] = ARGV[i + 2] end
end
each(filter, function(sku, value)
  local quantity, selected, born, price = match(value, '^(%d+)|(%d)|(%d+)|%d+|[^|]*|(%d+)|')
  local tail = current[sku]
  if tail and match(tail, '^[^|]*|(%d+)|') ~= price then
    line(sku, format('%s|%s|%s|%s|%s', quantity, selected, born, following, tail), get('+' .. sku))
  end
end)
local action = 'acknowledge'
