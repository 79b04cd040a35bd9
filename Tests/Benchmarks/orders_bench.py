#!/usr/bin/env python3
"""Orders a second by N clients through nginx, beside pgbench running the same statements on the same PostgreSQL.

Both sides order one SKU of a counted stock for a user of their own, from carts that were filled before; what is measured
is the order alone. pgbench runs what a checkout sends to PostgreSQL, in the same transaction, on carts and products of
its own, and speaks to it directly: what the service may at most come to.
"""

import argparse
import os
import subprocess
import tempfile
import time

from harness.shop import STATE, URL, Instance, product, unique
from harness.wire import Redis
from measure import wrk

PRODUCTS = 1_000

# What PostgresOrders sends for one order; the statements' SQL is taken from the server's own text.
# Planned as a worker's statements are.
PLANNING = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off"
SCRIPT = """\\set n random(1, 1000000000)
\\set p random(0, {last})
\\set c random(1, 500)
BEGIN;
WITH claim AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(hashtextextended('bench ' || :n || ':' || :client_id, 0)) AS is_held,
    k.order_id, k.request = '\\x00'::bytea AS is_same
  FROM (VALUES (1)) AS one LEFT JOIN LATERAL (
    (SELECT order_id, request, 1 AS rank FROM order_keys
      WHERE key = 'bench' || :n AND owner_kind = 'user' AND owner_id = 'bench' || :client_id)
    UNION ALL
    (SELECT g.order_id, g.request, 2 FROM cart_merges m CROSS JOIN LATERAL (
        SELECT order_id, request FROM order_keys
        WHERE key = 'bench' || :n AND owner_kind = 'guest' AND owner_id = m.guest_id AND request = '\\x00'::bytea
        LIMIT 1) AS g
      WHERE m.user_id = 'bench' || :client_id LIMIT 1)
    ORDER BY rank LIMIT 1) AS k ON true
), copies AS (
  SELECT * FROM unnest(ARRAY['user'], ARRAY['bench' || :client_id || '-' || :c], ARRAY[1::bigint], ARRAY[1::bigint],
    ARRAY['GBP'], ARRAY[1::bigint], ARRAY['[{{"sku": "x", "quantity": 1, "selected": true, "born": 1, "version": 1,
    "merchant": "main", "price": 1, "revision": "0123456789abcdef"}}]'::jsonb], ARRAY[0::bigint], ARRAY[0::bigint])
    WITH ORDINALITY AS n (owner_kind, owner_id, epoch, version, currency, clock, lines, inbox_applied, updated, position)
  WHERE (SELECT is_held AND order_id IS NULL FROM claim)
), written AS (
  INSERT INTO carts AS present (owner_kind, owner_id, epoch, data_epoch, version, currency, clock, lines, inbox_number,
    inbox_applied, updated_at, synced_at)
  SELECT owner_kind, owner_id, epoch, epoch, version, currency, clock, lines, inbox_applied, inbox_applied,
    to_timestamp(updated / 1000.0), clock_timestamp()
  FROM copies ORDER BY owner_kind, owner_id
  ON CONFLICT (owner_kind, owner_id) DO UPDATE SET epoch = greatest(present.epoch, excluded.epoch),
    data_epoch = excluded.data_epoch, version = excluded.version, lines = excluded.lines,
    inbox_number = greatest(present.inbox_number, excluded.inbox_number), inbox_applied = excluded.inbox_applied,
    synced_at = excluded.synced_at
  WHERE present.state <> 2 AND present.epoch <= excluded.epoch
    AND (present.data_epoch, present.version) <= (excluded.data_epoch, excluded.version)
  RETURNING inbox_number
), offers AS (
  SELECT p.sku, p.revision, s.stock FROM products p LEFT JOIN product_stock s ON s.sku = p.sku
  WHERE p.sku = ANY (ARRAY['{prefix}' || :p]) AND EXISTS (SELECT FROM written)
)
SELECT is_held, order_id, is_same, inbox_number, (SELECT max(number) FROM redis_lineages), sku, revision, stock
FROM claim LEFT JOIN written ON true LEFT JOIN offers ON true;
WITH claimed AS (
  INSERT INTO order_keys (key, owner_kind, owner_id, request, order_id)
  VALUES ('bench' || :n, 'user', 'bench' || :client_id, '\\x00', 'bench-order-' || :n || '-' || :client_id)
  ON CONFLICT DO NOTHING RETURNING order_id
), placed AS (
  INSERT INTO placed_orders (order_id, owner_kind, owner_id, currency, total, cart_version)
  SELECT order_id, 'user', 'bench' || :client_id, 'GBP', 1, 2 FROM claimed RETURNING placed_at
), lines AS (
  SELECT * FROM unnest(ARRAY['{prefix}' || :p], ARRAY[1]) AS l (sku, quantity)
), kept AS (
  INSERT INTO placed_lines (order_id, sku, position, revision, quantity, is_counted)
  SELECT order_id, sku, 1, 'x', quantity, true FROM claimed, lines RETURNING sku
), numbered AS (
  UPDATE carts SET inbox_number = next_generation(inbox_number) FROM claimed
  WHERE owner_kind = 'user' AND owner_id = 'bench' || :client_id || '-' || :c RETURNING inbox_number
), commanded AS (
  INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload, created_at)
  SELECT 'user', 'bench' || :client_id || '-' || :c, inbox_number, 0, 'order',
    '{{"lines": [{{"sku": "x", "quantity": 1, "born": 1}}]}}'::jsonb, now() + interval '1 day' FROM numbered
  RETURNING number
), taken AS (
  SELECT s.sku FROM product_stock s
  WHERE s.sku IN (SELECT sku FROM lines, (SELECT count(*) FROM kept) k, (SELECT count(*) FROM commanded) c
    WHERE EXISTS (SELECT FROM claimed))
  ORDER BY s.sku FOR NO KEY UPDATE
), moved AS (
  UPDATE product_stock s SET stock = s.stock - l.quantity, moved = next_generation(s.moved)
  FROM taken t JOIN lines l ON l.sku = t.sku WHERE s.sku = t.sku AND s.stock >= l.quantity
  RETURNING s.sku
)
SELECT placed_at, inbox_number, moved.sku FROM placed CROSS JOIN numbered LEFT JOIN moved ON true;
COMMIT;
"""

CLEANUP = """
DELETE FROM cart_inbox WHERE owner_id LIKE 'bench%'; DELETE FROM carts WHERE owner_id LIKE 'bench%';
DELETE FROM placed_lines WHERE order_id LIKE 'bench-order-%'; DELETE FROM placed_orders WHERE owner_id LIKE 'bench%';
DELETE FROM order_keys WHERE owner_id LIKE 'bench%';
"""


def http_side(url, variables, prefix, clients, seconds):
    """Orders a second, and wrk's other figures. The carts are filled before, for twice as long, and persisted."""
    run = unique("run")
    wrk("orders.lua", url, clients, 2 * seconds, BENCH_RUN=run, BENCH_SKU=prefix)
    with Redis(variables["CART_REDIS"].removeprefix("unix:")) as redis:
        while redis("ZCARD", "cart:dirty"):
            time.sleep(0.05)
    result = wrk("orders.lua", url, clients, seconds, BENCH_RUN=run)
    return result["requests"] / result["microseconds"] * 1e6, result


def pgbench_side(variables, prefix, clients, seconds):
    database = variables["CART_DATABASE"]
    process = dict(os.environ, PGOPTIONS=f"-c search_path={variables.get('CART_SCHEMA', 'cart')} {PLANNING}")
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT.format(prefix=prefix, last=PRODUCTS - 1))
        script.flush()
        program = os.environ.get("PGBENCH", "pgbench")
        done = subprocess.run(
            [program, "-n", "-M", "prepared", "-c", str(clients), "-T", str(seconds), "-f", script.name, database],
            capture_output=True, text=True, env=process)
    subprocess.run(["psql", "-Xq", "-d", database, "-c", CLEANUP], check=True, env=process)
    for line in done.stdout.splitlines():
        if line.startswith("tps ="):
            return float(line.split()[2])
    raise SystemExit(done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=URL)
    parser.add_argument("--state", default=STATE)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    instance, prefix = Instance(options.state), unique("OB") + "-"
    instance.import_products(product(f"{prefix}{n}", unitPrice=1, stock=1_000_000) for n in range(PRODUCTS))
    variables = instance.variables
    for _ in range(options.rounds):
        bare = pgbench_side(variables, prefix, options.clients, options.seconds)
        rate, result = http_side(options.url, variables, prefix, options.clients, options.seconds)
        middle, late = result["p50"] / 1000, result["p99"] / 1000
        print(f"{options.clients} clients: {rate:.0f} orders/s (p50 {middle:.1f} ms, p99 {late:.1f} ms), "
              f"pgbench {bare:.0f}/s: {rate / bare:.2f} of it", flush=True)


if __name__ == "__main__":
    main()
