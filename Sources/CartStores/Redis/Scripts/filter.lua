-- Calls visit(sku, value) for each line that the filter at ARGV[first] names; a filter is always last.
local function each(first, visit)
  local kind, merchant = ARGV[first], ARGV[first + 1]
  if kind == 'skus' then
    for i = first + 1, #ARGV do
      local value = get('=' .. ARGV[i])
      if value then visit(ARGV[i], value) end
    end
    return
  end
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if byte(fields[i]) == 61 and value then
      local selected, seller = match(value, '^%d+|(%d)|%d+|%d+|([^|]*)|')
      if kind == 'all' or kind == 'selected' and selected == '1' or kind == 'merchant' and seller == merchant then
        visit(sub(fields[i], 2), value)
      end
    end
  end
end
