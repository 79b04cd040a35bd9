-- Opens the cart. Every script is this file, one change and close.lua, one after the other; all of it is one atomic
-- step. A change that is to have no effect returns; one that may have one ends, having named its action.
--
-- Above stand as locals the limits maximum_lines, maximum_total, large_line_threshold, lifetime and renewal, first and
-- step (see below), and line.lua.
--
-- The answer: status, catalogue version, whether the cookie is due, Redis's time in milliseconds, the cart's version; with
-- LIMITED the seconds after which it would be done. The cart itself is read behind the script, in the same transaction:
-- on its way through Lua it would cost several times as much.
-- Locals, and one by one: unpack and globals would cost every change more.
local KEYS, ARGV = KEYS, ARGV
local cart, stream, dirty, active, catalogue_key, gate, restore_lease =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
-- may_create: '1' if the cart may come into being. latest: the time until which it may be done. condition: '' for none,
-- '*', or the versions as ',1,2,'. known_version: of the catalogue that the change was reckoned with, '' for any. The
-- arguments of the change follow from 9 on.
local history, may_create, latest, retry_key, condition, known_version, request_id, is_guest =
  ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8] ~= ''
local call, format, match, gsub, byte, sub =
  redis.call, string.format, string.match, string.gsub, string.byte, string.sub

-- What there is of the cart, by the names of its fields: all of it (then fields has it in its order), or what a change
-- needs that names its lines, from ARGV[first] on in steps.
local has, fields = {}, nil
if first then
  local names = {'#l', '#s', '#v', '#e', '#c', '#u', '#h', is_guest and '#k' or nil}
  for i = first, #ARGV, step do
    local n = #names
    names[n + 1], names[n + 2] = '=' .. ARGV[i], '+' .. ARGV[i]
  end
  if retry_key ~= '' then for i = 0, 3 do names[#names + 1] = '#r' .. i end end
  local values = call('HMGET', cart, unpack(names))
  for i = 1, #names do has[names[i]] = values[i] end
else
  fields = call('HGETALL', cart)
  for i = 1, #fields, 2 do has[fields[i]] = fields[i + 1] end
end
local exists = has['#v'] or has['#l'] or has['#e'] or call('EXISTS', cart) == 1
local version = tonumber(has['#v'] or 0)
local catalogue_version, pressure = unpack(call('MGET', catalogue_key, gate))
local due = 0
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function answer(status)
  return {status, catalogue_version, due, now, version}
end

local function get(name) return has[name] end

-- Memory is short ('1'), or this Redis changes no cart at all: another one has taken its place, or it was closed.
if pressure and pressure ~= '1' then
  return answer(sub(pressure, 1, 6) == 'closed' and 'CLOSED' or 'SUPERSEDED')
end
if not exists then
  -- What a restorer has found: there is no such cart, or the guest's was merged or has come to its end.
  local word = call('GET', restore_lease)
  if word == 'spent ' .. history then return answer('MERGED') end
  if may_create == '' and word ~= 'none ' .. history then return answer('ABSENT') end
elseif (get('#l') or '0') ~= history then
  return answer('STALE')
end
local state = get('#s')
if state then return answer(state == '2' and 'MERGED' or 'MERGING') end
if now > tonumber(latest) then return answer('LATE') end

local ring = ''
if retry_key ~= '' then
  ring = (get('#r0') or '') .. (get('#r1') or '') .. (get('#r2') or '') .. (get('#r3') or '')
  for i = 1, #ring, 12 do
    if sub(ring, i, i + 7) == sub(retry_key, 1, 8) then
      return answer(sub(ring, i, i + 11) == retry_key and 'REPLAYED' or 'REUSED')
    end
  end
end

local is_aged = is_guest and exists and now >= ((get('#k') or 0) + renewal) * 1000 -- the cookie must be renewed
if condition ~= '' then
  local holds
  if condition == '*' then holds = version > 0 else holds = string.find(condition, format(',%d,', version), 1, true) end
  if not holds then return answer('VERSION') end
end
local following = format('%d', version + 1)

-- Nothing is written before every rule has been checked: what is to be written gathers here.
local sets, drops, touched, growth = {}, {}, {}, 0 -- growth: in lines
local flag -- what the lines that are touched became, where they were selected or deselected and no more

local function put(name, value)
  if not value and not has[name] then return end
  has[name] = value
  if value then
    local n = #sets
    sets[n + 1], sets[n + 2] = name, value
  else
    drops[#drops + 1] = name
  end
end

-- Keeps the newest of the retry keys.
local function remember(keys)
  for i = 0, 3 do
    local part = sub(keys, i * 60 + 1, math.min(i * 60 + 60, 192))
    if part ~= '' then put('#r' .. i, part) end
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
  if not before then growth = growth + 1 elseif not value then growth = growth - 1 end
  if value and match(value, thousands_pattern) then
    local quantity, price = match(value, amounts_pattern)
    if quantity * price > large_line_threshold then put('#h', '1') end
  end
  put(name, value)
  if had ~= data then put(extra, data) end
end

-- How many lines there were.
local function lines()
  local number = 0
  for _, name in ipairs(call('HKEYS', cart)) do
    if byte(name) == 61 then number = number + 1 end -- '='
  end
  return number
end
