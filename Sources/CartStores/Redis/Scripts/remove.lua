-- ARGV: 10 filter.
each(10, function(sku) line(sku, false, false) end)
if #touched == 0 then return unchanged() end
return commit('remove')
