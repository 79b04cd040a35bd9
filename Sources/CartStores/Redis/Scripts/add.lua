-- ARGV: from 9 on 8 for each SKU: SKU, quantity, most, least, step, currency, merchant|price|revision, client data ('='
-- keeps).
if pressure then return answer('FULL') end
if is_outdated then return answer('GENERATION') end
local currency = get('#c') or ARGV[14]
local last_born = tonumber(get('#u') or 0)
local clock = last_born
for i = 9, #ARGV, 8 do
  local sku, quantity, data, born = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 7], nil
  local before = get('=' .. sku)
  if before then
    local had, since = match(before, '^(%d+)|%d|(%d+)|')
    quantity, born = quantity + had, since
  else
    clock = math.max(now, clock + 1)
    born = format('%d', clock)
  end
  if not permits(quantity, i + 2) or ARGV[i + 5] ~= currency then return answer('REFUSED') end
  if data == '=' then data = get('+' .. sku) elseif data == '' then data = false end
  line(sku, format('%d|1|%s|%s|%s', quantity, born, following, ARGV[i + 6]), data)
end
if overflows() or exceeds() then return answer('REFUSED') end
if not get('#c') then put('#c', currency) end
if clock ~= last_born then put('#u', format('%d', clock)) end
local action = 'add'
