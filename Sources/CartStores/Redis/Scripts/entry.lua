-- What the catalogue holds of a product: revision|stock|catalogue version|number of the last movement; nothing for what is
-- of another form.
local function unpack_entry(entry) return string.match(entry, '^([^|]*)|(%d*)|(%d+)|(%d+)$') end

local function pack_entry(revision, stock, catalogue_version, moved)
  return string.format('%s|%s|%s|%s', revision, stock, catalogue_version, moved)
end
