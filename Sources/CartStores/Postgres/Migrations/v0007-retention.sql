-- What goes once it is over.

-- A merge is known until the guest's end; if the guest has ordered, for as long as the keys of orders are, since the
-- user may repeat such an order. Of former merges, and of those that a former version still makes, nobody has noted it.
ALTER TABLE cart_merges ADD COLUMN has_orders boolean NOT NULL DEFAULT true;

CREATE INDEX cart_merges_by_age ON cart_merges (has_orders, merged_at);

-- Guests who logged in before their cart had been persisted had no end here.
UPDATE carts SET expires_at = updated_at + interval '30 days' WHERE owner_kind = 'guest' AND expires_at IS NULL;
