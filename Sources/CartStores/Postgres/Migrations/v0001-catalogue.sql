-- What is sold. Names are unqualified: the migration runs with the configured schema as its search_path.

-- The name of a revision: base64url of the first 96 bits of SHA-256 over its fields, each with its length before it,
-- so that no two contents share a text. Computed here and nowhere else.
CREATE FUNCTION product_revision_id(
  sku text, merchant_id text, name text, picture text, unit_price bigint, currency text,
  purchase_limit integer, customer_limit integer, minimum_quantity integer, quantity_step integer,
  available_from timestamptz, available_until timestamptz, active boolean
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
  SELECT translate(
    encode(
      substring(
        sha256(
          convert_to(
            string_agg(coalesce(octet_length(field)::text || ':' || field, '-'), ',' ORDER BY position), 'UTF8'))
        FOR 12),
      'base64'),
    '+/', '-_')
  FROM unnest(
    ARRAY[
      'product 1', sku, merchant_id, name, picture, unit_price::text, currency,
      purchase_limit::text, customer_limit::text, minimum_quantity::text, quantity_step::text,
      -- Milliseconds, whatever the session's time zone.
      (extract(epoch FROM available_from) * 1000)::bigint::text,
      (extract(epoch FROM available_until) * 1000)::bigint::text,
      CASE WHEN active THEN 'active' ELSE 'retired' END
    ]
  ) WITH ORDINALITY AS fields (field, position)
);

-- Everything that was ever said of a product. Rows are never changed and never deleted: carts and orders point here.
CREATE TABLE product_revisions (
  revision text COLLATE "C" PRIMARY KEY,
  sku text COLLATE "C" NOT NULL,
  merchant_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  picture text,
  unit_price bigint NOT NULL CHECK (unit_price BETWEEN 0 AND 1000000000),
  currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  purchase_limit integer CHECK (purchase_limit >= 1),
  customer_limit integer CHECK (customer_limit >= 1),
  minimum_quantity integer CHECK (minimum_quantity >= 1),
  quantity_step integer CHECK (quantity_step >= 1),
  available_from timestamptz,
  available_until timestamptz,
  active boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK (available_from < available_until)
);

-- What is sold now. The room left on each page lets a change of the stock stay on it.
CREATE TABLE products (
  sku text COLLATE "C" PRIMARY KEY,
  revision text COLLATE "C" NOT NULL REFERENCES product_revisions,
  stock integer CHECK (stock >= 0),
  generation bigint NOT NULL,
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX products_by_generation ON products (generation, sku);

-- The number of the last committed change. Whoever changes a product locks this row last and holds it until the
-- commit, so that numbers become visible in their order.
CREATE TABLE catalogue_state (
  is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
  generation bigint NOT NULL
);

-- The number after `last`: the milliseconds since 1970 where that is more. So a number is not given twice after the
-- database was put back or made anew, and no copy of the catalogue is taken for another.
CREATE FUNCTION next_generation(last bigint) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint);

INSERT INTO catalogue_state (generation) VALUES (next_generation(0));

CREATE VIEW skus AS
  SELECT p.sku, r.merchant_id, r.name, r.picture, r.unit_price, r.currency, p.stock, r.purchase_limit,
    r.customer_limit, r.minimum_quantity, r.quantity_step, r.available_from, r.available_until, r.active, p.updated_at
  FROM products p
  JOIN product_revisions r USING (revision);

COMMENT ON VIEW skus IS 'The catalogue as it is sold now. Prices are in the minor unit of their currency.';
