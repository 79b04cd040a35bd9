-- A guest has read the cart: renews its life and the cookie, if that is due.
if lifetime ~= '' and ages() then
  renew()
  write()
end
return answer('UNCHANGED')
