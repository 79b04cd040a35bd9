-- ARGV: 10 SKU, 11 '=' or '+' or '' (leave), 12 quantity, 13 selected ('' leaves), 14 client data ('=' keeps), 15 most,
-- 16 least, 17 step, 18 currency, 19 current price, 20 most total, 21 lines that can't exceed it.
local sku = ARGV[10]
local before = get('=' .. sku)
if not before then return answer('MISSING') end
local had, was, born, _, tail = match(before, '^(%d+)|(%d)|(%d+)|(%d+)|(.*)$')
had = tonumber(had)
local quantity, selected, former, data = had, was, get('+' .. sku), ARGV[14]
if ARGV[11] == '=' then quantity = tonumber(ARGV[12]) elseif ARGV[11] == '+' then quantity = had + ARGV[12] end
if ARGV[13] ~= '' then selected = ARGV[13] end
if data == '=' then data = former elseif data == '' then data = false end
if quantity > had then
  if outdated() then return answer('GENERATION') end
  if not permits(quantity, 15) or ARGV[18] ~= get('#c') then return refuse() end
end
if quantity <= 0 then
  line(sku, false, false)
elseif quantity == had and selected == was and data == former then
  return unchanged()
else
  line(sku, format('%d|%s|%s|%s|%s', quantity, selected, born, following, tail), data)
  if quantity > had and exceeds(ARGV[20], ARGV[21], '=' .. sku, ARGV[19]) then return refuse() end
end
return commit('edit')
