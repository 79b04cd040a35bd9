-- Carries out one small command even where memory is out: what nobody can go on without.
-- KEYS: its key. ARGV: its words.
return redis.call(unpack(ARGV))
