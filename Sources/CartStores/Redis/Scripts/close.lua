-- Closes the cart: writes what has gathered, with its marks and its event. Where nothing has, the retry key is
-- remembered all the same, and a guest has used the cart.
local is_changed, spoken = #touched > 0, get('#c') or ''
if is_changed then
  if not exists then
    if ARGV[1] ~= '0' then put('#l', ARGV[1]) end
    if ARGV[2] ~= '0' then put('#e', ARGV[2]) end
  end
  put('#v', following)
  if count == 0 then put('#c', false) end
end
if retry_key ~= '' then
  ring = sub(retry_key .. ring, 1, 192)
  for i = 0, 3 do
    local part = sub(ring, i * 60 + 1, i * 60 + 60)
    if part ~= '' then put('#r' .. i, part) end
  end
end
local expiry
if is_guest then
  local second = math.floor(now / 1000)
  if is_aged then due = 1 end
  if is_aged or not exists then put('#k', format('%d', second)) end
  expiry = format('%d', second + lifetime)
  put('#x', expiry)
end
if #sets > 0 then
  -- The marks come before the cart, so that a key of a wrong type stops all of it.
  local stamp = format('%d', now) -- given as a number, it would be printed at a greater cost
  call('ZADD', dirty, 'NX', stamp, cart)
  call('ZADD', active, stamp, cart)
  if is_changed then
    call('XADD', stream, '*', 'k', cart, 'e', get('#e') or '0', 'v', following, 'a', action, 'r', ARGV[7], 'c', spoken,
      'l', table.concat(touched))
  end
  -- unpack takes less than 8,000 values.
  for i = 1, #sets, 4000 do call('HSET', cart, unpack(sets, i, math.min(i + 3999, #sets))) end
  for i = 1, #drops, 4000 do call('HDEL', cart, unpack(drops, i, math.min(i + 3999, #drops))) end
  if expiry then call('EXPIREAT', cart, expiry) end
end
return answer(is_changed and 'CHANGED' or 'UNCHANGED')
