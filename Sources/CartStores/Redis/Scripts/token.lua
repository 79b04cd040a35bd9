-- Gives a key the microseconds since 1970, or the number after its own where that is more: so a number does not come
-- back after Redis was emptied.
local function renew(key)
  local time = redis.call('TIME')
  local now, present = time[1] * 1000000 + time[2], tonumber(redis.call('GET', key) or 0)
  redis.call('SET', key, string.format('%d', math.max(now, present + 1)))
end
