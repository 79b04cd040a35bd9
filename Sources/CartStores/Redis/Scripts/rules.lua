-- The caller reckoned with another catalogue than the current one.
local is_outdated = known_version ~= '' and known_version ~= catalogue_version

-- Whether a product may be bought in that quantity; the maximum is 0 for what can't be bought.
local function permits(quantity, maximum, minimum, quantity_step)
  return quantity <= tonumber(maximum) and quantity >= tonumber(minimum) and quantity % quantity_step == 0
end

-- Whether there are more lines than a cart has. Where there are fewer fields, there are fewer lines.
local function overflows()
  return growth > 0 and call('HLEN', cart) + growth > maximum_lines and lines() + growth > maximum_lines
end

-- Whether the total is too large. As many lines as a cart has stay within it if each of them is light; #h says that one
-- may be heavy. One line may be reckoned at another price than its own. A product has at most 16 digits and the sum
-- stops at the first excess, so that no rounding hides one.
local function exceeds(field, price)
  if not has['#h'] and (not field or match(has[field], amounts_pattern) * price <= large_line_threshold) then return false end
  local all, values, total = call('HGETALL', cart), {}, 0
  for i = 1, #all, 2 do values[all[i]] = all[i + 1] end
  for name, value in pairs(has) do values[name] = value end
  for name, value in pairs(values) do
    if byte(name) == 61 and value then
      local quantity, own = match(value, amounts_pattern)
      total = total + quantity * (name == field and price or own)
      if total > maximum_total then return true end
    end
  end
  return false
end
