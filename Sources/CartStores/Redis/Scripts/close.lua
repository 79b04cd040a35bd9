-- Closes the cart: writes what has gathered, with its marks and its event. Where nothing has, the retry key is
-- remembered all the same, and a guest has used the cart.
local is_changed, spoken = #touched > 0, get('#c') or ''
if not exists and not is_changed then return answer('UNCHANGED') end
if is_changed then
  if version == 0 then
    -- A cart of which every trace was lost may have had this name before: its epoch was an earlier one.
    if not exists then
      if history ~= '0' then put('#l', history) end
      call('DEL', restore_lease)
    end
    put('#e', format('%d', math.max(now, (get('#e') or 0) + 1)))
  end
  put('#v', following)
  if growth < 0 and lines() + growth == 0 then put('#c', false) end
end
if retry_key ~= '' then remember(retry_key .. ring) end
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
    call('XADD', stream, '*', 'k', cart, 'e', get('#e') or '0', 'v', following, 'a', action, 'r', request_id,
      flag and 'f' or 'c', flag or spoken, flag and 's' or 'l', table.concat(touched))
  end
  -- unpack takes less than 8,000 values.
  for i = 1, #sets, 4000 do call('HSET', cart, unpack(sets, i, math.min(i + 3999, #sets))) end
  for i = 1, #drops, 4000 do call('HDEL', cart, unpack(drops, i, math.min(i + 3999, #drops))) end
  if expiry then call('EXPIREAT', cart, expiry) end
end
if is_changed then version = version + 1 end
return answer(is_changed and 'CHANGED' or 'UNCHANGED')
