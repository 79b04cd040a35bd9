-- ARGV: 9 SKU, 10 '=' or '+' or '' (leave), 11 quantity, 12 selected ('' leaves), 13 client data ('=' keeps), 14 most,
-- 15 least, 16 step, 17 currency, 18 current price.
if pressure and ARGV[13] ~= '=' and ARGV[13] ~= '' then return answer('FULL') end
local sku = ARGV[9]
local before = get('=' .. sku)
if not before then return answer('MISSING') end
local had, was, born, _, tail = match(before, '^(%d+)|(%d)|(%d+)|(%d+)|(.*)$')
had = tonumber(had)
local quantity, selected, former, data = had, was, get('+' .. sku), ARGV[13]
if ARGV[10] == '=' then quantity = tonumber(ARGV[11]) elseif ARGV[10] == '+' then quantity = had + ARGV[11] end
if ARGV[12] ~= '' then selected = ARGV[12] end
if data == '=' then data = former elseif data == '' then data = false end
if quantity > had then
  if is_outdated then return answer('GENERATION') end
  if not permits(quantity, 14) or ARGV[17] ~= get('#c') then return answer('REFUSED') end
end
if quantity <= 0 then
  line(sku, false, false)
elseif quantity ~= had or selected ~= was or data ~= former then
  line(sku, format('%d|%s|%s|%s|%s', quantity, selected, born, following, tail), data)
  if quantity > had and exceeds('=' .. sku, ARGV[18]) then return answer('REFUSED') end
end
local action = 'edit'
