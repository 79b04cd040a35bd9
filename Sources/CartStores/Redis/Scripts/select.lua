-- ARGV: 9 selected, 10 filter.
each(10, function(sku, value)
  local quantity, was, born, _, tail = match(value, '^(%d+)|(%d)|(%d+)|(%d+)|(.*)$')
  if was ~= ARGV[9] then
    line(sku, format('%s|%s|%s|%s|%s', quantity, ARGV[9], born, following, tail), get('+' .. sku))
  end
end)
local action = 'select'
