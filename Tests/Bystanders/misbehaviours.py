"""What one shopper, row, product, command or node does to the others. Each is a function of a shop and a bystander: it
begins, lets the bystander shop while it lasts, ends, and says by an AssertionError what else it should not have done.
A new one is a new function here."""

import contextlib
import os
import time

from bystander import KINDS, WITHOUT_DATABASE
from shop import IS_LONG, PRICE, RedisServer, background, end, pace, wait_until, wire

MISBEHAVIOURS = {}
# Of what is done all the time.
SECONDS = 20 if IS_LONG else 6
# A chore that somebody waits for.
CHORE_SECONDS = 20
TOGGLES_PER_SECOND = 16


def misbehaviour(function):
    MISBEHAVIOURS[function.__name__] = function
    return function


def demand(condition, text):
    if not condition:
        raise AssertionError(text)


def _demand_record(shop, user):
    """Each change of the cart was recorded once, none is missing."""
    record, version = shop.record(user), shop.version_in_postgres(("user", user))
    missing = [number for number in range(1, version + 1) if number not in record]
    demand(not missing, f"{len(missing)} of {version} changes are not recorded: {missing[:5]}")
    strange = sorted(set(record) - set(range(1, version + 1)))
    demand(not strange, f"recorded, and never made: {strange[:5]}")


def _expired_guest(shop, number=0):
    """A row that is to be removed from PostgreSQL: whether what is done from time to time is done. Its id."""
    name = f"ended{number}"
    shop.sql(
        "INSERT INTO cart.carts (owner_kind, owner_id, epoch, data_epoch, version, expires_at, updated_at)"
        f" VALUES ('guest', '{name}', 1, 1, 1, now() - interval '40 days', now() - interval '70 days')"
    )
    return name


def _await_removal(shop, name):
    wait_until(
        lambda: not shop.number(f"SELECT count(*) FROM cart.carts WHERE owner_id = '{name}'"), CHORE_SECONDS,
        "an ended guest's row to be removed",
    )  # fmt: skip


@misbehaviour
def nothing(shop, bystander):
    """Nothing"""
    with bystander.shopping():
        time.sleep(SECONDS)


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
    _demand_record(shop, "toggler")


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
    _demand_record(shop, "hung-toggler")


@misbehaviour
def a_backlog_of_many_lines(shop, bystander):
    """302 changes of 2,000 lines each wait for PostgreSQL"""
    user = "backlogged"
    shop.fill(user)
    with bystander.excused(), shop.syncer_stopped():
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


# --- tables -----------------------------------------------------------------------------------------------------------


@misbehaviour
def a_dump_while_a_month_is_due(shop, bystander):
    """Somebody reads all tables for long, and the tables of the next months must be made"""
    wanted = shop.postgres.months_to_come()
    demand(wanted, "there are no tables of months to come")
    shop.sql("".join(f"DROP TABLE cart.{name};" for name in wanted))
    reader = shop.session()
    tables = ", ".join(f"cart.{name}" for name in shop.postgres.tables())
    reader(f"BEGIN; LOCK TABLE {tables} IN ACCESS SHARE MODE; SELECT FROM cart.cart_changes LIMIT 1")
    shop.reload()
    with bystander.shopping():
        time.sleep(12)
    reader("ROLLBACK")
    shop.reload()
    wait_until(lambda: set(wanted) <= set(shop.postgres.months_to_come()), CHORE_SECONDS, "the tables of the months to come")


# --- what can't be read -----------------------------------------------------------------------------------------------


@misbehaviour
def an_unreadable_row(shop, bystander):
    """A row in PostgreSQL can't be read, and the copy in Redis is of another history"""
    owner = ("user", "unreadable-row")
    shop.add("p0", user=owner[1])
    shop.must("POST", "/v1/cart/sync", user=owner[1])
    lines = shop.sql(f"SELECT lines FROM cart.carts WHERE owner_id = '{owner[1]}'")[0][0]
    where = f"WHERE owner_id = '{owner[1]}'"
    with bystander.excused(), shop.without_syncer():
        shop.add("p1", user=owner[1])
        for number in range(12):
            bystander.act(("user", "guest")[number % 2], number)
        # Until Redis has written it down for certain.
        time.sleep(2)
        shop.sql(f"UPDATE cart.carts SET lines = '[]' {where}")
        shop.restart_redis()
    ended = _expired_guest(shop, 1)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    _await_removal(shop, ended)
    shop.sql(f"UPDATE cart.carts SET lines = '{lines}' {where}")
    demand(shop.lines(user=owner[1]) in ({"p0": 1}, {"p0": 1, "p1": 1}), "the row is mended, and the cart another")


@misbehaviour
def an_unreadable_hash(shop, bystander):
    """A cart in Redis can't be read, and a command waits for it"""
    user = "unreadable-hash"
    shop.add("p0", user=user)
    shop.add("hot1", user=user)
    with shop.syncer_stopped():
        answer = shop.order(user, "k", PRICE, skus=["hot1"])
        demand(answer.status == 201, f"an order: {answer.status} {answer.json}")
        key = shop.key(("user", user))
        with shop.redis_link() as redis:
            redis("HSET", key, "=p0", "not a line", "#l", "1")
            redis("HDEL", key, "#i")
    demand(shop.number("SELECT count(*) FROM cart.cart_inbox") == 1, "no command waits")
    ended = _expired_guest(shop, 2)
    # Until its sender counts as dead.
    time.sleep(1.5)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    _await_removal(shop, ended)
    with shop.redis_link() as redis:
        redis("DEL", key)
    wait_until(lambda: shop.lines(user=user) == {"p0": 1}, CHORE_SECONDS, "the cart to come back")


@misbehaviour
def a_merge_into_an_unreadable_cart(shop, bystander):
    """A guest is being merged into a user's cart that can't be read"""
    user = "unreadable-user"
    shop.add("p0", user=user)
    shop.must("POST", "/v1/cart/sync", user=user)
    key = shop.key(("user", user))
    guest = shop.add("p1").headers["guest-cart-id"]
    owner = ("guest", guest.partition(".")[0])
    shop.must("POST", "/v1/cart/sync", guest=guest)
    with shop.redis_link() as redis:
        redis("HSET", key, "=p0", "not a line")
        # As whoever has begun the merge has left it when he died.
        redis("HSET", shop.key(owner), "#s", "1", "#o", f"sum {user}")
        redis("ZADD", "cart:dirty", int(time.time() * 1000), shop.key(owner))
    wait_until(lambda: shop.number("SELECT count(*) FROM cart.carts WHERE state = 1"), 10, "the merge to be seen")
    shop.ask("GET", "/v1/cart", user=user, guest=guest)
    ended = _expired_guest(shop, 3)
    # Until it counts as left behind.
    time.sleep(1.5)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    _await_removal(shop, ended)
    with shop.redis_link() as redis:
        redis("DEL", key)
    shop.ask("GET", "/v1/cart", user=user, guest=guest)
    wait_until(lambda: shop.lines(user=user) == {"p0": 1, "p1": 1}, CHORE_SECONDS, "the merge")


@misbehaviour
def a_cart_that_postgres_refuses(shop, bystander):
    """PostgreSQL refuses one shopper's cart"""
    _poisoned(shop, bystander, "cart", ["carts"])


@misbehaviour
def a_record_that_postgres_refuses(shop, bystander):
    """PostgreSQL refuses the record of one shopper's changes"""
    tables = [name for name in shop.postgres.tables("owner_id", "version", "action", "request_id")]
    demand(tables, "no table holds the record")
    _poisoned(shop, bystander, "record", tables)


def _poisoned(shop, bystander, what, tables):
    user = f"refused-{what}"
    owner = ("user", user)
    version = shop.add("p0", user=user).json["version"]
    shop.await_persisted(owner, version)
    shop.await_rest()
    shop.sql(
        f"CREATE FUNCTION cart.refuse_{what}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.owner_id = '{user}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$"
    )
    for table in tables:
        shop.sql(
            f"CREATE TRIGGER refuse_{what} BEFORE INSERT OR UPDATE ON cart.{table}"
            f" FOR EACH ROW EXECUTE FUNCTION cart.refuse_{what}()"
        )
    with bystander.shopping():
        for _ in range(SECONDS * 2):
            version = shop.add("p1", user=user).json["version"]
            time.sleep(0.5)
    demand(shop.lines(user=user)["p1"] == SECONDS * 2, "his own cart is not served")
    if what == "record":
        # It holds back no cart.
        demand(shop.version_in_postgres(owner) >= version, "the cart waits for its record")
    for table in tables:
        shop.sql(f"DROP TRIGGER refuse_{what} ON cart.{table}")
    # It is tried again less and less often, but after these seconds soon.
    shop.await_persisted(owner, version, 60)
    wait_until(lambda: len(shop.record(user)) >= version, 60, "the record")
    _demand_record(shop, user)


# --- memory -----------------------------------------------------------------------------------------------------------


@misbehaviour
def redis_without_memory(shop, bystander):
    """Redis is full, of changes among others that wait for PostgreSQL, and knows nothing of new prices"""
    user = "remover"
    for number in range(8):
        shop.add(f"p{number}", user=user)
    with bystander.excused(), contextlib.ExitStack() as ending:
        shop.postgres.stop()
        # A worker that does not find PostgreSQL says so at once for a cart that it must ask for.
        for number in range(20):
            bystander.act(("user", "guest")[number % 2], number)
            time.sleep(0.05)
        # The syncer has taken them.
        time.sleep(1.5)
        with shop.syncer_stopped():
            shop.postgres.start()
            shop.sql = shop.session()
            with shop.redis_link() as redis:
                used = int(redis("INFO", "memory").partition("used_memory:")[2].split("\r\n")[0])
                redis("CONFIG", "SET", "maxmemory", used // 2)
                demand(shop.offer({"p2999": None}, price=1234) == 3, "Redis was told of a new price")
        ending.pop_all()
    refused = shop.ask("POST", "/v1/cart/lines", {"sku": "p9"}, user=user)
    demand(refused.status == 503, f"an add was told {refused.status}: there is memory")
    with bystander.shopping(kinds=("lowering user", "lowering guest")):
        for number in range(8):
            shop.must("DELETE", f"/v1/cart/lines/p{number}", user=user)
            time.sleep(SECONDS / 8)
    demand(not bystander.failures(), f"lowerings failed: {bystander.failures()[:3]}")
    with shop.redis_link() as redis:
        wait_until(lambda: not redis("XLEN", "cart:stream"), CHORE_SECONDS, "what fills Redis to be worked off")
        redis("CONFIG", "SET", "maxmemory", 0)
    wait_until(
        lambda: shop.ask("POST", "/v1/cart/lines", {"sku": "p9"}, user=user).status == 200, CHORE_SECONDS, "memory"
    )


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
    with _buying(shop, "hot2") as answers, bystander.shopping():
        time.sleep(8)
    locker("ROLLBACK")
    expected = (503, "overloaded", "1")
    others = {answer for answer in answers if answer != expected}
    demand(answers and not others, f"who would wait was told {others}, not {expected}")
    user = "buyer-hot2-0"
    answer = shop.order(user, "at last", 100 * PRICE, skus=["hot2"])
    demand(answer.status == 201, f"an order after that: {answer.status} {answer.json}")


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


# --- commands and nodes -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _stray(shop, name):
    """A Redis that is not the shop's."""
    stray = RedisServer(os.path.join(shop.folder, name))
    try:
        yield stray
    finally:
        end(stray.process)


def _demand_readiness(shop):
    answer = shop.ready()
    demand(answer.status == 200, f"/ops/ready: {answer.status} {answer.json}")


@misbehaviour
def commands_with_a_stray_redis(shop, bystander):
    """Every command is run with the address of another, empty Redis"""
    user = bystander.owners["user"][0][1]
    commands = (
        ["rebuild", "--dry-run"], ["rebuild"], ["show", f"user:{user}"], ["restore", f"user:{user}"],
        ["sync", f"user:{user}"], ["sync", "--all"], ["log", f"user:{user}"], ["status"], ["doctor"],
        ["forget", "user:nobody", "--yes"],
    )  # fmt: skip
    with _stray(shop, "stray") as stray, bystander.shopping():
        for command in commands:
            shop.run_cartctl(*command, CART_REDIS=f"unix:{stray.socket}")
        time.sleep(2)
        with wire.Redis(stray.socket) as redis:
            found = redis("KEYS", "cart:*:*")
        _demand_readiness(shop)
    demand(not found, f"carts were brought into the stray Redis: {found[:3]}")
    # Workers that have never met a restore as well.
    shop.reload()
    for number in range(40):
        shop.add("p1", user=f"after-stray-{number}")


@misbehaviour
def a_cartd_with_a_stray_redis(shop, bystander):
    """Another cartd runs for some seconds with the address of another, empty Redis"""
    with _stray(shop, "stray-of-cartd") as stray, bystander.shopping():
        listen = shop.second_cartd(stray)
        statuses = set()
        began = time.monotonic()
        while time.monotonic() - began < 3:
            with contextlib.suppress(wire.Cut):
                statuses.add(shop.ask("POST", "/v1/cart/lines", {"sku": "p0"}, user="stray", listen=listen).status)
            time.sleep(0.2)
        end(shop.others.pop())
        time.sleep(2)
        _demand_readiness(shop)
    demand(statuses == {503}, f"changes were told {statuses} there")
    shop.reload()
    for number in range(40):
        shop.add("p1", user=f"after-cartd-{number}")


@misbehaviour
def an_emptied_redis(shop, bystander):
    """Redis is emptied, twice"""
    with bystander.shopping():
        for _ in range(2):
            time.sleep(SECONDS / 2)
            with shop.redis_link() as redis:
                redis("FLUSHALL")
            bystander.lose()
        time.sleep(SECONDS / 2)


# --- great numbers ----------------------------------------------------------------------------------------------------


def _copies(shop, count, name, fields=()):
    """Carts in Redis that are copies of one, under the names of users whom nobody knows. Their keys."""
    shop.add("p0", 2, user=name)
    shop.must("POST", "/v1/cart/sync", user=name)
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
    _expired_guest(shop, 4)
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
