-- Hands out the periodic task that has been due for longest, and only once: until it is settled, or its time is over.
-- lease: milliseconds until it is handed out again if it is not settled. For each task follow its name and the longest
-- time, in milliseconds, for which it is put off. A task stands there as `due|failures|place to go on`. The answer: task,
-- failures, place; or milliseconds until the next one is due.
local tasks, lease = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names, longest = {}, {}
for i = 2, #ARGV, 2 do
  names[#names + 1] = ARGV[i]
  longest[#longest + 1] = ARGV[i + 1]
end
local states = redis.call('HMGET', tasks, unpack(names))
local first, soonest, failures, place
for i, name in ipairs(names) do
  local due, failed, from = string.match(states[i] or '0|0|', '^(%d+)|(%d+)|(.*)$')
  due = tonumber(due or 0)
  -- It waits for longer than it may: the clock was set back.
  if due > now + longest[i] + lease then due = 0 end
  if not soonest or due < soonest then first, soonest, failures, place = name, due, failed, from end
end
if soonest > now then return soonest - now end
redis.call('HSET', tasks, first, string.format('%d|%s|%s', now + lease, failures or '0', place or ''))
return {first, failures or '0', place or ''}
