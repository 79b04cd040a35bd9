-- What was bought.

-- Grows with each change of the stock by an order or its cancellation, under the row's lock; no column of an index, so
-- that such a change stays on its page. With generation it orders all that was ever said of a product.
ALTER TABLE products ADD COLUMN moved bigint NOT NULL DEFAULT 0;

CREATE TABLE placed_orders (
  order_id text COLLATE "C" PRIMARY KEY,
  owner_kind text COLLATE "C" NOT NULL CHECK (owner_kind IN ('user', 'guest')),
  owner_id text COLLATE "C" NOT NULL,
  status text COLLATE "C" NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'accepted', 'cancelled')),
  currency text COLLATE "C" NOT NULL,
  total bigint NOT NULL CHECK (total >= 0),
  -- The client's own keys as the text that they were sent as, so that no byte of it changes.
  client_data text,
  -- Of the cart after the ordered quantities left it.
  cart_version bigint,
  placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- When its lines last moved the stock.
  moved_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 90);

CREATE INDEX placed_orders_by_owner ON placed_orders (owner_kind, owner_id, placed_at, order_id);
CREATE INDEX placed_orders_by_movement ON placed_orders (moved_at);

-- The revision says what was sold, and for how much.
CREATE TABLE placed_lines (
  order_id text COLLATE "C" NOT NULL,
  sku text COLLATE "C" NOT NULL,
  position integer NOT NULL,
  revision text COLLATE "C" NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  -- Whether it was taken out of a counted stock, and is to be given back.
  is_counted boolean NOT NULL,
  client_data text,
  PRIMARY KEY (order_id, sku)
);

-- What has led to an order, so that it leads to no second one; kept for good.
CREATE TABLE order_keys (
  key text COLLATE "C" NOT NULL,
  owner_kind text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  -- A hash of the request.
  request bytea NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (key, owner_kind, owner_id)
);

CREATE VIEW orders AS
  SELECT order_id, owner_kind, owner_id, status, currency, total, coalesce(client_data, '{}')::jsonb AS data, placed_at
  FROM placed_orders;

CREATE VIEW order_lines AS
  SELECT l.order_id, l.sku, r.merchant_id, r.name, r.picture, l.quantity, r.unit_price,
    coalesce(l.client_data, '{}')::jsonb AS extra_data
  FROM placed_lines l
  JOIN product_revisions r USING (revision);

COMMENT ON VIEW orders IS 'Every order. Totals are in the minor unit of their currency.';
COMMENT ON VIEW order_lines IS 'What was sold. Prices are in the minor unit of the order''s currency.';
