-- Carries out one numbered command of PostgreSQL's, if the lines that it touches are as its sender saw them.
-- ARGV: 9 number, 10 number of the command before it, 11 action, 12 currency that the cart has ('' none), 13 currency
-- that it is to have, 14 clock, 15 retry keys to take over; from 16 on 6 for each line that the command names: SKU, value
-- and client data as they are ('' none), quantity|selected|born as they are to be ('' removes, '=' leaves the line),
-- merchant|price|revision, client data.
local applied = tonumber(get('#i') or 0)
if applied >= tonumber(ARGV[9]) then return answer('REPLAYED') end
if applied < tonumber(ARGV[10]) then return answer('GAP') end
if (get('#c') or '') ~= ARGV[12] then return answer('OUTDATED') end
for i = 16, #ARGV, 6 do
  if (get('=' .. ARGV[i]) or '') ~= ARGV[i + 1] or (get('+' .. ARGV[i]) or '') ~= ARGV[i + 2] then
    return answer('OUTDATED')
  end
end
for i = 16, #ARGV, 6 do
  if ARGV[i + 3] == '' then
    line(ARGV[i], false, false)
  elseif ARGV[i + 3] ~= '=' then
    line(ARGV[i], format('%s|%s|%s', ARGV[i + 3], following, ARGV[i + 4]), ARGV[i + 5] ~= '' and ARGV[i + 5])
  end
end
if overflows() then return answer('REFUSED') end
put('#i', ARGV[9])
if ARGV[13] ~= '' and ARGV[13] ~= ARGV[12] then put('#c', ARGV[13]) end
if tonumber(ARGV[14]) > tonumber(get('#u') or 0) then put('#u', ARGV[14]) end
if ARGV[15] ~= '' then
  remember(ARGV[15] .. (get('#r0') or '') .. (get('#r1') or '') .. (get('#r2') or '') .. (get('#r3') or ''))
end
local action = ARGV[11]
