-- ARGV: 9 see limit.lua, 10 filter.
each(10, function(sku) line(sku, false, false) end)
local action = 'remove'
