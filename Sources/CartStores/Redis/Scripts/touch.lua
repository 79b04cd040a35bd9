-- A guest has read the cart: renews its life and the cookie, if that is due.
if not is_aged then return answer('UNCHANGED') end
local action
