-- ARGV: 9 see limit.lua, 10 selected, 11 filter.
-- A cart may have 2,000 lines that change together: one string operation for each, and of each no more than its SKU in
-- the event.
flag = ARGV[10]
local former = format('^(%%d+)|%d|(%%d+)|%%d+', 1 - flag)
local becomes = format('%%1|%s|%%2|%s', flag, following)
each(11, function(sku, value)
  local changed, count = gsub(value, former, becomes)
  if count == 1 then
    put('=' .. sku, changed)
    touched[#touched + 1] = #sku .. ':' .. sku
  end
end)
local action = 'select'
