-- Hands out the periodic task that has been due for longest, and only once: until it is settled, or its time is over.
-- KEYS: tasks. ARGV: milliseconds until it is handed out again if it is not settled, then the tasks. A task stands there as
-- `due|failures|place to go on`. The answer: task, failures, place; or milliseconds until the next one is due.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local states = redis.call('HMGET', KEYS[1], unpack(ARGV, 2))
local first, soonest, failures, place
for i = 1, #ARGV - 1 do
  local due, failed, from = string.match(states[i] or '0|0|', '^(%d+)|(%d+)|(.*)$')
  due = tonumber(due or 0)
  -- Longer than any task waits: the clock was set back.
  if due > now + 172800000 then due = 0 end
  if not soonest or due < soonest then first, soonest, failures, place = ARGV[i + 1], due, failed, from end
end
if soonest > now then return soonest - now end
redis.call('HSET', KEYS[1], first, string.format('%d|%s|%s', now + ARGV[1], failures or '0', place or ''))
return {first, failures or '0', place or ''}
