if pressure then return answer('FULL') end
if is_outdated then return answer('GENERATION') end
local currency, last_born = get('#c'), tonumber(get('#u') or 0)
local clock = last_born
for i = first, #ARGV, step do
  -- data: '=' keeps what there is.
  local sku, more, maximum, minimum = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local quantity_step, own_currency, tail, data = ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]
  local quantity, born = tonumber(more), nil
  local before = get('=' .. sku)
  if before then
    local had, since = match(before, addition_pattern)
    quantity, born = quantity + had, since
  else
    clock = math.max(now, clock + 1)
    born = format('%d', clock)
  end
  currency = currency or own_currency
  if not permits(quantity, maximum, minimum, quantity_step) or own_currency ~= currency then return answer('REFUSED') end
  if data == '=' then data = get('+' .. sku) elseif data == '' then data = false end
  line(sku, format(line_format, quantity, '1', born, following, tail), data)
end
if overflows() or exceeds() then return answer('REFUSED') end
if not get('#c') then put('#c', currency) end
if clock ~= last_born then put('#u', format('%d', clock)) end
local action = 'add'
