-- Carries out one numbered command of PostgreSQL's, if the lines that it touches are as its sender saw them.
-- number, previous: of the command, and of the one before it. had_currency, currency: the one that the cart has, and the
-- one that it is to have ('' none). keys: retry keys to take over. For each line that the command names follow its SKU,
-- value and client data as they are ('' none); and as they are to be: the packed line in two halves, between which its
-- version comes, of which the first is '' if the line goes and '=' if it stays; and the client data.
local number, previous, action, had_currency, currency, clock, keys = unpack(ARGV, 9, 15)
local applied = tonumber(get('#i') or 0)
if applied >= tonumber(number) then return answer('REPLAYED') end
if applied < tonumber(previous) then return answer('GAP') end
if (get('#c') or '') ~= had_currency then return answer('OUTDATED') end
for i = 16, #ARGV, 6 do
  local sku, value, data = unpack(ARGV, i, i + 2)
  if (get('=' .. sku) or '') ~= value or (get('+' .. sku) or '') ~= data then return answer('OUTDATED') end
end
for i = 16, #ARGV, 6 do
  local sku, _, _, head, tail, data = unpack(ARGV, i, i + 5)
  if head == '' then
    line(sku, false, false)
  elseif head ~= '=' then
    line(sku, format(halves_format, head, following, tail), data ~= '' and data)
  end
end
if overflows() then return answer('REFUSED') end
put('#i', number)
if currency ~= '' and currency ~= had_currency then put('#c', currency) end
if tonumber(clock) > tonumber(get('#u') or 0) then put('#u', clock) end
if keys ~= '' then
  remember(keys .. (get('#r0') or '') .. (get('#r1') or '') .. (get('#r2') or '') .. (get('#r3') or ''))
end
