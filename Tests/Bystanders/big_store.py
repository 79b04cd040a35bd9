#!/usr/bin/env python3
"""A shop with very many carts: how long the syncer is at something else than what shoppers do.

Makes carts in Redis (copies of one) and rows in PostgreSQL (by SQL): carts used lately, idle ones, some that Redis has
let go of, guests who have ended, erased rows, orders. Then everything that a syncer does from time to time is made due,
and a bystander shops. Shows the law's numbers, the syncer's turns where it counts them, and what was read of each big
table: whoever reads all of one has no index for what he asks. Exits 1 where the law is broken, a turn is longer than
500 ms, or a big table was read from one end to the other.
"""

import argparse
import sys
import time

from bystander import Bystander
from harness import wire
from harness.shop import LINES, PRICE
from shop import Shop

LONGEST_TURN = 0.5
METRIC = "sync_turn_seconds"
# Rows in one statement, commands in one message.
ROWS, COMMANDS = 100_000, 2_000
DAY = 86_400_000
# Of the carts in Redis: share, and how many days ago they were used, from and to.
USES = ((0.02, 0, 0.08), (0.48, 0.1, 31), (0.4, 31, 90), (0.1, 90, 200))
# Of the rows in PostgreSQL that Redis has no cart for: share, kind, and what is different from a persisted cart.
ENDED = "now() - interval '1 day'"
OTHERS = (
    (0.80, "user", {"updated_at": "now() - interval '100 days'", "is_released": "true"}),
    (0.15, "guest", {"updated_at": "now() - interval '40 days'", "expires_at": ENDED}),
    (0.05, "user", {"updated_at": "now() - interval '3 days'", "version": "0", "lines": "'[]'", "currency": "NULL"}),
)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def copy_rows(shop, table, where, first, count, changes):
    for start in range(first, first + count, ROWS):
        shop.copy_rows(table, where, min(ROWS, first + count - start), changes, start)


def make_template(shop, lines):
    """A user's cart that both stores have. (the name, what Redis holds of it)"""
    skus = [{"sku": f"p{number}", "quantity": 2} for number in range(lines)]
    shop.must("POST", LINES, {"lines": skus}, user="template")
    shop.kept(user="template")
    return shop.redis.ask("DUMP", shop.key(("user", "template"))).encode("latin-1")


def fill_redis(shop, count, dump):
    made, now = 0, int(time.time() * 1000)
    with shop.redis_link() as redis:
        for share, youngest, oldest in USES:
            part = round(count * share)
            for start in range(0, part, COMMANDS):
                size = min(COMMANDS, part - start)
                keys = [f"cart:user:big-{made + number}" for number in range(size)]
                step = (oldest - youngest) * DAY / part
                times = [now - int(youngest * DAY + (start + number) * step) for number in range(size)]
                commands = [("RESTORE", key, 0, dump) for key in keys]
                commands.append(("ZADD", "cart:active", *(word for pair in zip(times, keys) for word in pair)))
                for reply in redis.together(commands):
                    if isinstance(reply, wire.RedisError):
                        raise reply
                made += size
    return made


def fill_postgres(shop, carts, rows):
    where = "(owner_kind, owner_id) = ('user', 'template')"
    copy_rows(shop, "carts", where, 0, carts, {"owner_id": "'big-' || n"})
    say(f"{carts} carts are in both")
    for share, kind, changes in OTHERS:
        part = round(max(0, rows - carts) * share)
        name = {"owner_kind": f"'{kind}'", "owner_id": f"'{kind}-{share}-' || n"}
        copy_rows(shop, "carts", where, 0, part, name | changes)
    say(f"{max(rows, carts)} rows are in PostgreSQL")


def make_order(shop):
    """An order's id."""
    shop.add("hot0", user="orderer")
    return shop.order("orderer", "1", PRICE).json["id"]


def fill_orders(shop, order, orders):
    where = f"order_id = '{order}'"
    time_of = f"now() - n * interval '2 days' / {orders}"
    for table in ("placed_orders", "placed_lines", "order_keys"):
        more = {"placed_at": time_of, "moved_at": time_of}
        if table != "placed_lines":
            more["owner_id"] = "'orderer-' || n"
        copy_rows(shop, table, where, 0, orders, {"order_id": "'big-' || n"} | more)
    say(f"{orders} orders of the last two days are in PostgreSQL")


def table_reads(shop):
    """Table → (rows that it has, times it was read from one end to the other, rows that were read so)."""
    shop.sql("SELECT pg_stat_clear_snapshot()")
    return {
        name: tuple(int(number) for number in numbers)
        for name, *numbers in shop.sql(
            "SELECT s.relname, greatest(reltuples, 0)::bigint, coalesce(seq_scan, 0), coalesce(seq_tup_read, 0)"
            " FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = relid WHERE schemaname = 'cart'"
        )
    }


def turns(shop):
    """What the syncer says of its turns: the lines of the metric without its prefix, as name → value."""
    text = wire.request(shop.listen + ".ops", "GET", "/ops/metrics").body.decode()
    found = {}
    for line in text.splitlines():
        if METRIC in line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition(METRIC)[2]] = float(value)
    return found


def longer_turns(found):
    """How many turns were longer than they may be, where the metric is a histogram or a gauge; None where there is none."""
    bound = f'_bucket{{le="{LONGEST_TURN:g}"}}'
    if bound in found and "_count" in found:
        return int(found["_count"] - found[bound])
    longest = found.get("_max", found.get(""))
    return None if longest is None else int(longest > LONGEST_TURN)


def measure(shop, seconds):
    """What was wrong."""
    faults = []
    bystander = Bystander(shop, "bystander")
    before, began = table_reads(shop), turns(shop)
    with bystander.shopping():
        shop.reload()
        time.sleep(seconds)
    say(f"the law: {bystander.report()}")
    faults += bystander.faults()
    after, found = table_reads(shop), turns(shop)
    for name, (rows, scans, read) in sorted(after.items()):
        _, scans_before, read_before = before.get(name, (0, 0, 0))
        if rows >= 10_000 and scans > scans_before:
            say(f"{name}: {rows} rows, read from one end {scans - scans_before} times, {read - read_before} rows")
            if read - read_before >= rows:
                faults.append(f"{name} was read from one end to the other")
    say(f"turns: {found or 'not counted'}, before: {began or 'not counted'}")
    late, late_before = longer_turns(found), longer_turns(began)
    if late is not None and late > (late_before or 0):
        faults.append(f"{late - (late_before or 0)} turns took longer than {LONGEST_TURN} s")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--carts", type=int, default=100_000, help="in Redis and PostgreSQL (1000000 in the long form)")
    parser.add_argument("--rows", type=int, default=300_000, help="carts in PostgreSQL in all (10000000)")
    parser.add_argument("--orders", type=int, default=100_000, help="of the last two days")
    parser.add_argument("--lines", type=int, default=5, help="of each cart")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    shop = Shop()
    try:
        # Much is written here, and lost with the folder.
        shop.postgres.psql("ALTER SYSTEM SET max_wal_size = '4GB'", "postgres", "postgres")
        shop.postgres.psql("SELECT pg_reload_conf()", "postgres", "postgres")
        dump, order = make_template(shop, options.lines), make_order(shop)
        with shop.without_syncer():
            carts = fill_redis(shop, options.carts, dump)
            say(f"{carts} carts are in Redis")
            fill_postgres(shop, carts, options.rows)
            fill_orders(shop, order, options.orders)
            shop.sql("ANALYZE")
        faults = measure(shop, options.seconds)
    finally:
        shop.close()
    for fault in faults:
        say(f"FAULT: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
