"""What shoppers do to the others: changes of many lines, orders of a locked product, and being many."""

import contextlib
import time

from bystander import KINDS, WITHOUT_DATABASE
from harness import wire
from harness.meanwhile import background, pace
from harness.shop import IS_LONG, PRICE
from harness.system import demand
from misbehaviours import SECONDS, demand_record, expired_guest, misbehaviour

TOGGLES_PER_SECOND = 16

# --- many lines -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _toggling(shop, user):
    """One client checks and unchecks all of 2,000 lines again and again. The statuses that it is told."""
    shop.fill(user)
    statuses = []

    def toggle(stopping, _):
        for _ in pace(stopping, TOGGLES_PER_SECOND):
            statuses.append(shop.select_all(user, len(statuses) % 2 == 1).status)

    with background(toggle):
        yield statuses


@misbehaviour
def toggles_of_a_big_cart(shop, bystander):
    """2,000 lines are checked and unchecked all the time"""
    with _toggling(shop, "toggler") as statuses, bystander.shopping():
        time.sleep(SECONDS)
    demand(set(statuses) <= {200, 429}, f"toggles were told {set(statuses)}")
    shop.await_rest()
    demand_record(shop, "toggler")


@misbehaviour
def toggles_while_postgres_hangs(shop, bystander):
    """2,000 lines are checked and unchecked all the time, and PostgreSQL hangs"""
    with _toggling(shop, "hung-toggler") as statuses, bystander.shopping():
        time.sleep(2)
        bystander.kinds = WITHOUT_DATABASE
        with bystander.excused(), shop.postgres_stopped():
            time.sleep(25 if IS_LONG else 5)
        # A worker that PostgreSQL has failed leaves it alone for some seconds.
        time.sleep(4)
        bystander.kinds = KINDS
        time.sleep(SECONDS)
    demand(set(statuses) <= {200, 429}, f"toggles were told {set(statuses)}")
    shop.await_rest()
    demand_record(shop, "hung-toggler")


@misbehaviour
def a_backlog_of_many_lines(shop, bystander):
    """302 changes of 2,000 lines each wait for PostgreSQL"""
    user = "backlogged"
    shop.fill(user)
    with bystander.excused(), shop.without_syncer():
        version = shop.select_all(user, False).json["version"]
        shop.must("DELETE", "/v1/cart?view=summary", user=user)
        with shop.redis_link() as redis:
            # The last two: of each there are so many more, as if they had been made one after the other.
            entries = [fields for _, fields in reversed(redis("XREVRANGE", "cart:stream", "+", "-", "COUNT", 2))]
            for number in range(300):
                values = dict(zip(entries[number % 2][::2], entries[number % 2][1::2]))
                demand("v" in values, f"the stream's entries have no version: {list(values)}")
                values["v"] = str(version + 2 + number)
                words = [word.encode("latin-1") for pair in values.items() for word in pair]
                redis("XADD", "cart:stream", "*", *words)
        for number in range(6):
            bystander.act("user", number)
    with bystander.shopping():
        time.sleep(SECONDS)
    shop.await_rest()
    demand(len(shop.record(user)) == version + 301, f"{len(shop.record(user))} of {version + 301} changes are recorded")


# --- locks ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _buying(shop, sku, buyers=8, per_second=4):
    """So many shoppers try to order one product. (status, code, Retry-After) of all answers."""
    answers = []
    for number in range(buyers):
        shop.add(sku, 100, user=f"buyer-{sku}-{number}")

    def buy(stopping, number):
        user, count = f"buyer-{sku}-{number}", 0
        for _ in pace(stopping, per_second):
            count += 1
            try:
                answer = shop.order(user, f"{count}", 100 * PRICE, skus=[sku])
            except wire.Cut:
                answers.append(("cut", None, None))
                continue
            answers.append((answer.status, answer.json.get("code"), answer.headers.get("retry-after")))
            if answer.status == 201:
                shop.add(sku, 100, user=user)

    with background(buy, buyers):
        yield answers


@misbehaviour
def a_locked_product(shop, bystander):
    """Somebody's transaction holds one product, which eight shoppers try to order"""
    locker = shop.session()
    tables = set(shop.postgres.tables("sku", "stock") + ["products"])
    locker("BEGIN;" + "".join(f"SELECT FROM cart.{name} WHERE sku = 'hot2' FOR UPDATE;" for name in sorted(tables)))
    with _buying(shop, "hot2") as answers, _buying(shop, "hot3", 1) as elsewhere, bystander.shopping():
        time.sleep(8)
    locker("ROLLBACK")
    placed = sum(status == 201 for status, *_ in elsewhere)
    demand(placed > len(elsewhere) / 2, f"orders of another product were told {elsewhere}")
    expected = (503, "overloaded", "1")
    others = {answer for answer in answers if answer != expected}
    demand(answers and not others, f"who would wait was told {others}, not {expected}")
    user = "buyer-hot2-0"
    answer = shop.order(user, "at last", 100 * PRICE, skus=["hot2"])
    demand(answer.status == 201, f"an order after that: {answer.status} {answer.json}")
    left = shop.number("SELECT stock FROM cart.skus WHERE sku = 'hot2'")
    demand(left == shop.STOCK - 100, f"{left} left after one order of 100")


@misbehaviour
def a_locked_cart(shop, bystander):
    """Somebody's transaction holds one cart's row, whose shopper goes on"""
    user = "locked"
    version = shop.add("p0", user=user).json["version"]
    shop.await_persisted(("user", user), version)
    locker = shop.session()
    locker(f"BEGIN; SELECT FROM cart.carts WHERE owner_id = '{user}' FOR UPDATE")
    with bystander.shopping():
        for _ in range(16):
            version = shop.add("p1", user=user).json["version"]
            time.sleep(0.5)
    locker("ROLLBACK")
    shop.await_persisted(("user", user), version)


@misbehaviour
def a_big_import(shop, bystander):
    """Many products change at once while they are bought"""
    stocks = {f"bulk{number}": shop.STOCK for number in range(100_000 if IS_LONG else 30_000)}
    demand(shop.offer(stocks) == 0, "the first import")
    with _buying(shop, "bulk0", per_second=10), bystander.shopping(rate=40):
        demand(shop.offer(stocks, price=PRICE + 1) == 0, "the second import")
        time.sleep(1)


# --- great numbers ----------------------------------------------------------------------------------------------------


def _copies(shop, count, name, fields=()):
    """Carts in Redis that are copies of one, under the names of users whom nobody knows. Their keys."""
    shop.add("p0", 2, user=name)
    shop.kept(user=name)
    keys = [shop.key(("user", f"{name}-{number}")) for number in range(count)]
    with shop.redis_link() as redis:
        redis("COPY", shop.key(("user", name)), "template")
        for field, value in fields:
            redis("HSET", "template", field, value)
        dump = redis("DUMP", "template").encode("latin-1")
        redis("DEL", "template")
        for start in range(0, count, 1000):
            redis.together([("RESTORE", key, 0, dump) for key in keys[start : start + 1000]])
    shop.copy_rows("carts", f"owner_id = '{name}'", count, {"owner_id": f"'{name}-' || n - 1"})
    return keys


def _list(shop, key, names, days):
    """Puts carts on a list, each a little later than the one before."""
    now = int(time.time() * 1000) - int(days * 86_400_000)
    with shop.redis_link() as redis:
        for start in range(0, len(names), 1000):
            entries = [word for at, name in enumerate(names[start : start + 1000], start) for word in (now + at, name)]
            redis("ZADD", key, *entries)


@misbehaviour
def sweeps_over_many_carts(shop, bystander):
    """50,000 guests have ended, 50,000 carts are idle, 20,000 are to be compared, and a syncer starts"""
    many = 200_000 if IS_LONG else 50_000
    idle = _copies(shop, many, "idle")
    _list(shop, "cart:active", idle[: many // 2], 40)
    _list(shop, "cart:active", idle[many // 2 :], 100)
    stale = _copies(shop, many * 2 // 5, "stale", [("#l", "1")])
    _list(shop, "cart:active", stale, 0.02)
    expired_guest(shop, 4)
    shop.copy_rows("carts", "owner_id = 'ended4'", many, {"owner_id": "'ended-' || n"})
    shop.sql("ANALYZE cart.carts")
    with bystander.shopping():
        shop.reload()
        time.sleep(3 * SECONDS)


@misbehaviour
def many_dirty_carts(shop, bystander):
    """40,000 carts count as not persisted"""
    dirty = _copies(shop, 100_000 if IS_LONG else 40_000, "dirty", [("#p", "0")])
    with bystander.shopping():
        _list(shop, "cart:dirty", dirty, 0.001)
        time.sleep(2 * SECONDS)
