-- Where carts are kept for good. Redis has the newest copy of a cart; the one here follows within a second and is
-- what is left when Redis is lost. A copy's place in time is (epoch, version): epochs are handed out here, versions
-- are counted in Redis.

-- The place of this database in time. A database that was put back has a number below one that the syncer has seen, or
-- another tag: then it may lack what it was given, and every cart counts as not persisted.
CREATE TABLE database_lineage (
  is_only_row boolean PRIMARY KEY DEFAULT true CHECK (is_only_row),
  tag text COLLATE "C" NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 8),
  -- Grows with each batch that a syncer commits.
  number bigint NOT NULL
);

INSERT INTO database_lineage (number) VALUES (next_generation(0));

-- The histories of Redis, each under its replication id: a restart and a promotion begin a new one. Only the newest
-- is served.
CREATE TABLE redis_lineages (
  number bigint PRIMARY KEY,
  replication_id text COLLATE "C" NOT NULL UNIQUE,
  seen_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE carts (
  owner_kind text COLLATE "C" NOT NULL CHECK (owner_kind IN ('user', 'guest')),
  owner_id text COLLATE "C" NOT NULL,
  -- The highest epoch handed out: a copy of a lower one is refused.
  epoch bigint NOT NULL DEFAULT 0,
  -- The epoch of the copy in this row.
  data_epoch bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL DEFAULT 0,
  -- The highest version with which the copy has gone back to Redis after a loss: it says nothing of the copy's place.
  version_floor bigint NOT NULL DEFAULT 0,
  currency text COLLATE "C",
  clock bigint NOT NULL DEFAULT 0,
  -- One object for each line, in their order: see the view cart_lines.
  lines jsonb NOT NULL DEFAULT '[]',
  retry_ring bytea NOT NULL DEFAULT '',
  -- The last command for this cart in cart_inbox, and the last one that the copy contains.
  inbox_number bigint NOT NULL DEFAULT 0,
  inbox_applied bigint NOT NULL DEFAULT 0,
  -- 0 open, 1 being merged, 2 merged.
  state smallint NOT NULL DEFAULT 0 CHECK (state BETWEEN 0 AND 2),
  merged_into text COLLATE "C",
  -- Redis has let go of the cart as it is here.
  is_released boolean NOT NULL DEFAULT false,
  cookie_renewed_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now(),
  synced_at timestamptz,
  expires_at timestamptz,
  PRIMARY KEY (owner_kind, owner_id)
) WITH (fillfactor = 70);

-- What this database commands a cart in Redis to do: to take out what was ordered, to take in a merged guest's cart.
-- A row goes when the copy in carts contains it.
CREATE TABLE cart_inbox (
  owner_kind text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  number bigint NOT NULL,
  -- The command before it; it is applied after that one only.
  previous bigint NOT NULL CHECK (previous < number),
  action text COLLATE "C" NOT NULL,
  payload jsonb NOT NULL,
  request_id text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_kind, owner_id, number)
);

CREATE INDEX cart_inbox_by_age ON cart_inbox (created_at);

-- Every change of every line, once.
CREATE TABLE cart_changes (
  owner_kind text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  version bigint NOT NULL,
  sku text COLLATE "C" NOT NULL,
  action text COLLATE "C" NOT NULL,
  before jsonb,
  after jsonb,
  at timestamptz NOT NULL,
  request_id text NOT NULL,
  PRIMARY KEY (owner_kind, owner_id, epoch, version, sku, at)
) PARTITION BY RANGE (at);

-- The partition of a month, made where it is missing; the same from however many places it is asked for.
CREATE FUNCTION ensure_cart_changes(moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first_day timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
  partition text := 'cart_changes_' || to_char(first_day, 'YYYY_MM');
BEGIN
  IF to_regclass(format('%I.%I', current_schema(), partition)) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '.cart_changes', 0));
  EXECUTE format(
    'CREATE TABLE IF NOT EXISTS %I PARTITION OF cart_changes FOR VALUES FROM (%L) TO (%L)', partition,
    first_day AT TIME ZONE 'UTC', (first_day + interval '1 month') AT TIME ZONE 'UTC');
END
$$;

SELECT ensure_cart_changes(now() + n * interval '1 month') FROM generate_series(0, 2) AS n;

-- For analysts. The client's own keys stand in lines as the text that they were sent as, so that no byte of it changes.
CREATE VIEW cart_lines AS
  SELECT c.owner_kind, c.owner_id, l.position, l.line ->> 'sku' AS sku, l.line ->> 'merchant' AS merchant_id,
    (l.line ->> 'quantity')::integer AS quantity, (l.line ->> 'selected')::boolean AS selected,
    r.name AS snapshot_name, r.picture AS snapshot_picture, (l.line ->> 'price')::bigint AS snapshot_unit_price,
    coalesce((l.line ->> 'data')::jsonb, '{}') AS extra_data,
    to_timestamp((l.line ->> 'born')::bigint / 1000) AS added_at
  FROM carts c
  CROSS JOIN LATERAL jsonb_array_elements(c.lines) WITH ORDINALITY AS l (line, position)
  LEFT JOIN product_revisions r ON r.revision = l.line ->> 'revision';

COMMENT ON TABLE carts IS 'Every cart as it was at synced_at. A version of 0 was never written.';
COMMENT ON VIEW cart_lines IS 'The lines of every cart. Prices are in the minor unit of the cart''s currency.';
COMMENT ON TABLE cart_changes IS 'One row for each line that a change of a cart touched, as it was before and after.';
