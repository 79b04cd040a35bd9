-- Carries out one small command, its arguments, even if memory is out: what nobody can go on without.
return redis.call(unpack(ARGV))
