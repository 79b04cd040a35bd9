-- A cart may have 2,000 lines that change together: one string operation for each, and of each no more than its SKU in
-- the event.
local limit
limit, flag = unpack(ARGV, 9, 10)
local former, becomes = format(selection_format, 1 - flag), format(reselection_format, flag, following)
each(11, function(sku, value)
  local changed, count = gsub(value, former, becomes)
  if count == 1 then
    put('=' .. sku, changed)
    touched[#touched + 1] = #sku .. ':' .. sku
  end
end)
local action = 'select'
