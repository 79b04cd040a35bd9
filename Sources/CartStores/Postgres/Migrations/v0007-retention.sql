-- What goes once it is over.

-- A merge is known until the guest's end; if the guest has ordered, for as long as the keys of orders are, since the
-- user may repeat such an order. Of former merges, and of those that a former version still makes, nobody has noted it.
ALTER TABLE cart_merges ADD COLUMN has_orders boolean NOT NULL DEFAULT true;

CREATE INDEX cart_merges_by_age ON cart_merges (has_orders, merged_at);

-- An order asks for the keys of its owner, and of the guests that were merged into him.
CREATE INDEX cart_merges_by_user ON cart_merges (user_id);

-- Keys are kept for some time only.
ALTER TABLE order_keys ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX order_keys_by_age ON order_keys (created_at);
