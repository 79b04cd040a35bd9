-- Stock in a table of its own: an order locks the rows of what it takes, an import those of what is sold, and neither
-- those of the other.

-- Nobody may sell between the copy and the end of the former columns.
LOCK TABLE placed_orders, products IN ACCESS EXCLUSIVE MODE;

CREATE TABLE product_stock (
  sku text COLLATE "C" PRIMARY KEY,
  -- Null where it is not counted any more; a product whose stock was never counted has no row.
  stock integer CHECK (stock >= 0),
  -- Grows with each change of the stock, under the row's lock: milliseconds since 1970, or the next number.
  moved bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO product_stock (sku, stock, moved)
SELECT sku, stock, greatest(generation, moved) FROM products WHERE stock IS NOT NULL OR moved > 0;

-- What moved since a moment is looked for when whoever moved it may have died before he told.
CREATE INDEX product_stock_by_movement ON product_stock (moved, sku);

CREATE OR REPLACE VIEW skus AS
  SELECT p.sku, r.merchant_id, r.name, r.picture, r.unit_price, r.currency, s.stock, r.purchase_limit,
    r.customer_limit, r.minimum_quantity, r.quantity_step, r.available_from, r.available_until, r.active,
    greatest(p.updated_at, to_timestamp(s.moved / 1000.0)) AS updated_at
  FROM products p
  JOIN product_revisions r USING (revision)
  LEFT JOIN product_stock s ON s.sku = p.sku;

ALTER TABLE products DROP COLUMN stock, DROP COLUMN moved;

-- Redis holds the stamps of products in another form from here on: all of them are published anew.
UPDATE catalogue_state SET generation = next_generation(generation);
UPDATE products SET generation = (SELECT generation FROM catalogue_state);

-- The stock that a feed has set and that product_stock does not have yet. It follows in the order of the ids, a few
-- hundred at a time.
CREATE TABLE stock_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku text COLLATE "C" NOT NULL,
  stock integer CHECK (stock >= 0),
  -- The stock at the moment of the import, when all before it will have followed: what is sold after that stays sold.
  basis integer
);

-- Movements are found by product_stock now.
ALTER TABLE placed_orders DROP COLUMN moved_at;
