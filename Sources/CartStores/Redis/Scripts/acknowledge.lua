-- number: of products, three arguments for each: SKU, currency, tail of its line; then the filter.
local limit, number = unpack(ARGV, 9, 10)
local filter = 11 + 3 * number
if pressure then return answer('FULL') end
if is_outdated then return answer('GENERATION') end
local currency, current = get('#c'), {}
for i = 11, filter - 1, 3 do
  local sku, own_currency, tail = unpack(ARGV, i, i + 2)
  if own_currency == currency then current[sku] = tail end
end
each(filter, function(sku, value)
  local quantity, selected, born, _, former = match(value, line_pattern)
  local tail = current[sku]
  if tail then
    local _, price = match(tail, tail_pattern)
    local _, seen = match(former, tail_pattern)
    if price ~= seen then
      line(sku, format(line_format, quantity, selected, born, following, tail), get('+' .. sku))
    end
  end
end)
local action = 'acknowledge'
