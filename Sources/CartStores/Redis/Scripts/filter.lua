-- Calls visit(sku, value) for each line that the filter from ARGV[at] on names; a filter is always last.
local function each(at, visit)
  local kind, merchant = unpack(ARGV, at, at + 1)
  if kind == 'skus' then
    for i = at + 1, #ARGV do
      local value = get('=' .. ARGV[i])
      if value then visit(ARGV[i], value) end
    end
    return
  end
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if byte(name) == 61 then
      local is_named = kind == 'all'
      if not is_named then
        local selected, seller = match(value, filter_pattern)
        is_named = kind == 'selected' and selected == '1' or kind == 'merchant' and seller == merchant
      end
      if is_named then visit(sub(name, 2), value) end
    end
  end
end
