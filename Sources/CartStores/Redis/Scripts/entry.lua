-- Revision, stock, catalogue version and number of the last movement of what the catalogue holds of a product; nothing where
-- that is of another form.
local function parts(entry) return string.match(entry, '^([^|]*)|(%d*)|(%d+)|(%d+)$') end
