-- limit: lines that big changes may touch in a minute, 0 for any number. A bucket of so many tokens that fills at that
-- rate: a change of more than 100 lines takes one for each, or all of them where there are never as many. #t is the time
-- at which the bucket will be full again; a clock that was put back makes nobody wait for longer than that takes.
limit = tonumber(limit)
if limit > 0 and #touched > 100 then
  local minute = 60000
  local full = math.max(now, math.min(get('#t') or 0, now + minute))
    + math.ceil(math.min(#touched, limit) * minute / limit)
  if full > now + minute then
    return {'LIMITED', catalogue_version, due, now, version, math.ceil((full - now - minute) / 1000)}
  end
  put('#t', format('%d', full))
end
