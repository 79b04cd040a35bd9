-- kind says what becomes of the quantity: '=' it is given, '+' it is added to, '' it stays. given: a quantity or a
-- difference. wanted: selected, '' leaves it. data: '=' keeps what there is. price: the current one.
local sku, kind, given, wanted, data = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local maximum, minimum, quantity_step, currency, price = ARGV[14], ARGV[15], ARGV[16], ARGV[17], ARGV[18]
if pressure and data ~= '=' and data ~= '' then return answer('FULL') end
local before = get('=' .. sku)
if not before then return answer('MISSING') end
local had, was, born, _, tail = match(before, line_pattern)
had = tonumber(had)
local quantity, selected, former = had, was, get('+' .. sku)
if kind == '=' then quantity = tonumber(given) elseif kind == '+' then quantity = had + given end
if wanted ~= '' then selected = wanted end
if data == '=' then data = former elseif data == '' then data = false end
if quantity > had then
  if is_outdated then return answer('GENERATION') end
  if not permits(quantity, maximum, minimum, quantity_step) or currency ~= get('#c') then return answer('REFUSED') end
end
if quantity <= 0 then
  line(sku, false, false)
elseif quantity ~= had or selected ~= was or data ~= former then
  line(sku, format(line_format, quantity, selected, born, following, tail), data)
  if quantity > had and exceeds('=' .. sku, price) then return answer('REFUSED') end
end
local action = 'edit'
