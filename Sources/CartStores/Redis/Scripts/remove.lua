local limit = ARGV[9]
each(10, function(sku) line(sku, false, false) end)
local action = 'remove'
