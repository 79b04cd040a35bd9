-- Moves changes of one cart from the stream to the changes of that cart that were set aside, under their own ids.
-- KEYS: stream, carts of which changes were set aside, reasons, changes of this cart. ARGV: cart, time of the next attempt,
-- reason ('' leaves the one that is known); then the ids.
local moved = 0
for i = 4, #ARGV do
  local entry = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
  if entry then
    local added = redis.pcall('XADD', KEYS[4], ARGV[i], unpack(entry[2]))
    -- One that is there already was moved before.
    if type(added) == 'table' and added.err and not redis.call('XRANGE', KEYS[4], ARGV[i], ARGV[i])[1] then
      return added
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
    moved = moved + 1
  end
end
redis.call('ZADD', KEYS[2], 'NX', ARGV[2], ARGV[1])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], ARGV[1], ARGV[3]) end
return moved
