-- Notes under which number PostgreSQL has registered this history of Redis. What an older history was told of its end
-- does not count any more; if another one begins ('1'), nothing is closed.
local history, gate = unpack(KEYS)
local note, number, is_another = unpack(ARGV)
local word = redis.call('GET', gate) or ''
local newer = string.match(word, '^superseded:(%d+)$')
if newer and tonumber(newer) < tonumber(number) or is_another ~= '' and string.match(word, '^closed:') then
  redis.call('DEL', gate)
end
return redis.call('SET', history, note)
