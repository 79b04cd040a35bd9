-- ARGV: 9 filter.
each(9, function(sku) line(sku, false, false) end)
local action = 'remove'
