-- The record of changes becomes one row for each change, with its lines inside: a change of 2,000 lines is one row as
-- a change of one line is.

CREATE TABLE cart_events (
  -- Given after the commit, in the order in which the rows are handed out; NULL until then.
  sequence bigint,
  owner_kind text COLLATE "C" NOT NULL,
  owner_id text COLLATE "C" NOT NULL,
  epoch bigint NOT NULL,
  version bigint NOT NULL,
  action text COLLATE "C" NOT NULL,
  at timestamptz NOT NULL,
  request_id text NOT NULL,
  -- An array of {"sku", "before", "after"}.
  lines jsonb NOT NULL,
  -- A change has one moment, that of its entry in the stream: so this says once for (owner, epoch, version).
  PRIMARY KEY (owner_kind, owner_id, epoch, version, at)
) PARTITION BY RANGE (at);

-- The partition of a month, made if it is missing. Attaching it locks out neither readers nor writers of the others.
CREATE FUNCTION ensure_cart_events(moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first_day timestamp := date_trunc('month', moment AT TIME ZONE 'UTC');
  partition text := 'cart_events_' || to_char(first_day, 'YYYY_MM');
BEGIN
  IF to_regclass(format('%I.%I', current_schema(), partition)) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended(current_schema() || '.cart_events', 0));
  IF to_regclass(format('%I.%I', current_schema(), partition)) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE cart_events INCLUDING ALL)', partition);
  EXECUTE format(
    'ALTER TABLE cart_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition,
    first_day AT TIME ZONE 'UTC', (first_day + interval '1 month') AT TIME ZONE 'UTC');
END
$$;

SELECT ensure_cart_events(now() + n * interval '1 month') FROM generate_series(0, 2) AS n;

-- What was recorded before this migration, one row for each line. Its months go as those of cart_events do.
ALTER TABLE cart_changes RENAME TO line_changes;
DROP FUNCTION ensure_cart_changes(timestamptz);

-- Months without a row, such as those to come, are not needed any more.
DO $$
DECLARE
  month regclass;
  is_used boolean;
BEGIN
  FOR month IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'line_changes'::regclass LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', month) INTO is_used;
    IF NOT is_used THEN EXECUTE format('DROP TABLE %s', month); END IF;
  END LOOP;
END
$$;

CREATE VIEW cart_changes AS
  SELECT owner_kind, owner_id, epoch, version, l.line ->> 'sku' AS sku, action,
    nullif(l.line -> 'before', 'null') AS before, nullif(l.line -> 'after', 'null') AS after, at, request_id
  FROM cart_events CROSS JOIN LATERAL jsonb_array_elements(lines) AS l (line)
  UNION ALL
  SELECT owner_kind, owner_id, epoch, version, sku, action, before, after, at, request_id FROM line_changes;

-- Who might read the former table may read what has come in its place.
DO $$
DECLARE
  reader text;
BEGIN
  FOR reader IN
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
    FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
    WHERE c.oid = 'line_changes'::regclass AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT SELECT ON cart_changes, cart_events TO %s', reader);
  END LOOP;
END
$$;

COMMENT ON TABLE cart_events IS 'One row for each change of a cart, with the lines that it touched.';
COMMENT ON VIEW cart_changes IS 'One row for each line that a change of a cart touched, as it was before and after.';

-- The last batch that each syncer has committed. A syncer locks its own row alone. A database that was put back has a
-- lower number there than Redis remembers.
CREATE TABLE sync_lanes (
  lane integer PRIMARY KEY,
  number bigint NOT NULL
);

-- database_lineage.number is not used any more; workers of the former version read it until they are replaced.
INSERT INTO sync_lanes (lane, number) SELECT 0, number FROM database_lineage;
