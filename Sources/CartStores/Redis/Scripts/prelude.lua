-- Opens the cart. Every script is this file and then the file of one change; all of it is one atomic step.
--
-- KEYS: cart, stream, dirty, active, generation.
-- ARGV: 1 lineage, 2 epoch of a new cart ('' where none may come into being), 3 latest time to do it, 4 retry key,
-- 5 condition ('' none, '*' or ',1,2,'), 6 known generation ('' any), 7 request id, 8 seconds that a guest's cart
-- lives ('' for users), 9 seconds between two renewals of the cookie. The change's own follow.
--
-- The answer: status, generation, whether the cookie is due, Redis's time in milliseconds, the cart's fields as they
-- are now, names and values in turns, nil for a field that is gone.
local cart, stream, dirty, active = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local retry_key, known, lifetime = ARGV[4], ARGV[6], ARGV[8]
local call, format, match, byte, sub = redis.call, string.format, string.match, string.byte, string.sub

local fields = call('HGETALL', cart)
local exists = #fields > 0
local generation = call('GET', KEYS[5])
local due = 0
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function answer(status)
  return {status, generation, due, now, fields}
end

local at, count = {}, 0 -- where the value of a field stands in fields; the lines
for i = 1, #fields, 2 do
  local name = fields[i]
  at[name] = i + 1
  if byte(name) == 61 then count = count + 1 end -- '='
end

local function get(name)
  local i = at[name]
  return i and fields[i] or false
end

if not exists then
  if ARGV[2] == '' then return answer('ABSENT') end
elseif (get('#l') or '0') ~= ARGV[1] then
  return answer('STALE')
end
local state = get('#s')
if state then return answer(state == '2' and 'MERGED' or 'MERGING') end
if now > tonumber(ARGV[3]) then return answer('LATE') end

local ring = ''
if retry_key ~= '' then
  ring = (get('#r0') or '') .. (get('#r1') or '') .. (get('#r2') or '') .. (get('#r3') or '')
  for i = 1, #ring, 12 do
    if sub(ring, i, i + 7) == sub(retry_key, 1, 8) then
      return answer(sub(ring, i, i + 11) == retry_key and 'REPLAYED' or 'REUSED')
    end
  end
end

local version = tonumber(get('#v') or 0)
if ARGV[5] == '*' and version == 0
  or ARGV[5] ~= '' and ARGV[5] ~= '*' and not string.find(ARGV[5], format(',%d,', version), 1, true) then
  return answer('VERSION')
end
local following = format('%d', version + 1)

-- Nothing is written before every rule has been checked: what is to be written gathers here.
local sets, drops, touched = {}, {}, {}

local function put(name, value)
  local i = at[name]
  if not i then
    if not value then return end
    i = #fields + 2
    fields[i - 1], at[name] = name, i
  end
  fields[i] = value
  if value then
    sets[#sets + 1] = name
    sets[#sets + 1] = value
  else
    drops[#drops + 1] = name
  end
end

local function packed(text)
  return text and #text .. ':' .. text or '-'
end

-- Sets a line and its client data, or removes it (false, false), and records both for the event.
local function line(sku, value, data)
  local name, extra = '=' .. sku, '+' .. sku
  local before, had = get(name), get(extra)
  touched[#touched + 1] = packed(sku) .. packed(before) .. packed(value) .. packed(had)
    .. (had == data and '=' or packed(data))
  if not before then count = count + 1 elseif not value then count = count - 1 end
  put(name, value)
  if had ~= data then put(extra, data) end
end

-- Calls visit(sku, value) for each line that the filter at ARGV[first] names; a filter is always last.
local function each(first, visit)
  local kind, merchant = ARGV[first], ARGV[first + 1]
  if kind == 'skus' then
    for i = first + 1, #ARGV do
      local value = get('=' .. ARGV[i])
      if value then visit(ARGV[i], value) end
    end
    return
  end
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if byte(fields[i]) == 61 and value then
      local selected, seller = match(value, '^%d+|(%d)|%d+|%d+|([^|]*)|')
      if kind == 'all' or kind == 'selected' and selected == '1' or kind == 'merchant' and seller == merchant then
        visit(sub(fields[i], 2), value)
      end
    end
  end
end

-- True where the caller reckoned with another catalogue than the current one.
local function outdated()
  return known ~= '' and known ~= generation
end

-- The rule at ARGV[i]: the most (0 for what can't be bought), the least, the step.
local function permits(quantity, i)
  return quantity <= tonumber(ARGV[i]) and quantity >= tonumber(ARGV[i + 1]) and quantity % ARGV[i + 2] == 0
end

-- Whether the total goes beyond most; up to safe lines it can't. One line may be reckoned at another price than its
-- own. A product has at most 16 digits and the sum stops at the first excess, so that no rounding hides one.
local function exceeds(most, safe, field, price)
  if count <= tonumber(safe) then return false end
  local total, limit = 0, tonumber(most)
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if byte(fields[i]) == 61 and value then
      local quantity, own = match(value, '^(%d+)|%d|%d+|%d+|[^|]*|(%d+)|')
      total = total + quantity * (fields[i] == field and price or own)
      if total > limit then return true end
    end
  end
  return false
end

local function remember()
  if retry_key == '' then return end
  ring = sub(retry_key .. ring, 1, 192)
  for i = 0, 3 do
    local part = sub(ring, i * 60 + 1, i * 60 + 60)
    if part ~= '' then put('#r' .. i, part) end
  end
end

-- Whether a guest's cookie must be renewed.
local function ages()
  return exists and now >= ((get('#k') or 0) + ARGV[9]) * 1000
end

local expiry
local function renew()
  if lifetime == '' then return end
  local second = math.floor(now / 1000)
  if ages() then due = 1 end
  if due == 1 or not exists then put('#k', format('%d', second)) end
  expiry = second + lifetime
  put('#x', format('%d', expiry))
end

-- The marks come before the cart, so that a key of a wrong type stops all of it. unpack takes under 8,000 values.
local function write()
  call('ZADD', dirty, 'NX', now, cart)
  call('ZADD', active, now, cart)
  if #touched > 0 then
    call('XADD', stream, '*', 'k', cart, 'e', get('#e') or '0', 'v', following, 'a', touched.action, 'r', ARGV[7],
      'c', touched.currency, 'l', table.concat(touched))
  end
  for i = 1, #sets, 4000 do call('HSET', cart, unpack(sets, i, math.min(i + 3999, #sets))) end
  for i = 1, #drops, 4000 do call('HDEL', cart, unpack(drops, i, math.min(i + 3999, #drops))) end
  if expiry then call('PEXPIREAT', cart, expiry * 1000) end
end

local function commit(action)
  if not exists then
    if ARGV[1] ~= '0' then put('#l', ARGV[1]) end
    if ARGV[2] ~= '0' then put('#e', ARGV[2]) end
  end
  touched.action, touched.currency = action, get('#c') or ''
  put('#v', following)
  if count == 0 then put('#c', false) end
  remember()
  renew()
  write()
  return answer('CHANGED')
end

-- Nothing to do; the key is remembered all the same, and a guest has used the cart.
local function unchanged()
  remember()
  renew()
  if #sets > 0 then write() end
  return answer('UNCHANGED')
end

local function refuse()
  fields = call('HGETALL', cart)
  return answer('REFUSED')
end

