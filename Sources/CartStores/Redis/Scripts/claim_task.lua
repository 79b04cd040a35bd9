-- Hands out the periodic task that has been due for longest, and only once: until it is settled, or its time is over.
-- KEYS: tasks. ARGV: milliseconds until it is handed out again if it is not settled; then each task and the longest time,
-- in milliseconds, for which it is put off. A task stands there as `due|failures|place to go on`. The answer: task,
-- failures, place; or milliseconds until the next one is due.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = {}
for i = 2, #ARGV, 2 do names[#names + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(names))
local first, soonest, failures, place
for i, name in ipairs(names) do
  local due, failed, from = string.match(states[i] or '0|0|', '^(%d+)|(%d+)|(.*)$')
  due = tonumber(due or 0)
  -- It waits for longer than it may: the clock was set back.
  if due > now + ARGV[2 * i + 1] + ARGV[1] then due = 0 end
  if not soonest or due < soonest then first, soonest, failures, place = name, due, failed, from end
end
if soonest > now then return soonest - now end
redis.call('HSET', KEYS[1], first, string.format('%d|%s|%s', now + ARGV[1], failures or '0', place or ''))
return {first, failures or '0', place or ''}
