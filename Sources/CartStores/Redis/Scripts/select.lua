-- ARGV: 10 selected, 11 filter.
each(11, function(sku, value)
  local quantity, was, born, _, tail = match(value, '^(%d+)|(%d)|(%d+)|(%d+)|(.*)$')
  if was ~= ARGV[10] then
    line(sku, format('%s|%s|%s|%s|%s', quantity, ARGV[10], born, following, tail), get('+' .. sku))
  end
end)
if #touched == 0 then return unchanged() end
return commit('select')
