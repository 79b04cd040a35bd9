-- The caller reckoned with another catalogue than the current one.
local is_outdated = ARGV[6] ~= '' and ARGV[6] ~= generation

-- The rule at ARGV[i]: the most (0 for what can't be bought), the least, the step.
local function permits(quantity, i)
  return quantity <= tonumber(ARGV[i]) and quantity >= tonumber(ARGV[i + 1]) and quantity % ARGV[i + 2] == 0
end

-- Whether the total is too large; up to safe_lines it can't be. One line may be reckoned at another price than its
-- own. A product has at most 16 digits and the sum stops at the first excess, so that no rounding hides one.
local function exceeds(field, price)
  if count <= safe_lines then return false end
  local total = 0
  for i = 1, #fields, 2 do
    local value = fields[i + 1]
    if byte(fields[i]) == 61 and value then
      local quantity, own = match(value, '^(%d+)|%d|%d+|%d+|[^|]*|(%d+)|')
      total = total + quantity * (fields[i] == field and price or own)
      if total > most_total then return true end
    end
  end
  return false
end

local function refuse()
  fields = call('HGETALL', cart) -- as they were
  return answer('REFUSED')
end
