-- Moves changes of one cart from the stream to the changes of that cart that were set aside, under their own ids, which
-- follow. reason: '' leaves the one that is known.
local stream, carts, reasons, changes = unpack(KEYS)
local cart, next_attempt, reason = unpack(ARGV, 1, 3)
local moved = 0
for i = 4, #ARGV do
  local id = ARGV[i]
  local entry = redis.call('XRANGE', stream, id, id)[1]
  if entry then
    local added = redis.pcall('XADD', changes, id, unpack(entry[2]))
    -- One that is there already was moved before.
    if type(added) == 'table' and added.err and not redis.call('XRANGE', changes, id, id)[1] then return added end
    redis.call('XDEL', stream, id)
    moved = moved + 1
  end
end
redis.call('ZADD', carts, 'NX', next_attempt, cart)
if reason ~= '' then redis.call('HSET', reasons, cart, reason) end
return moved
