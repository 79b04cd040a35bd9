-- PostgreSQL has a newer copy than this one: it must be compared before its next use.
-- KEYS: cart. ARGV: history, epoch, version ('' for one that it lacks).
local has = redis.call('HMGET', KEYS[1], '#l', '#e', '#v')
if has[1] ~= ARGV[1] or (has[2] or '') ~= ARGV[2] or (has[3] or '') ~= ARGV[3] then return 0 end
return redis.call('HDEL', KEYS[1], '#l')
