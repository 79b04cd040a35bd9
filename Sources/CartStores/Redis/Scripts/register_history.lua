-- Notes under which number PostgreSQL has registered this history of Redis. What an older history was told of its end
-- does not count any more; if another one begins, nothing is closed.
-- KEYS: history, gate. ARGV: what is noted, number, '1' if another history begins.
local word = redis.call('GET', KEYS[2]) or ''
local number = string.match(word, '^superseded:(%d+)$')
if number and tonumber(number) < tonumber(ARGV[2]) or ARGV[3] ~= '' and string.match(word, '^closed:') then
  redis.call('DEL', KEYS[2])
end
return redis.call('SET', KEYS[1], ARGV[1])
