"""What rows, tables, stores, commands and nodes do to everybody."""

import contextlib
import time

from harness import wire
from harness.processes import end, wait_until
from harness.servers import RedisServer
from harness.shop import PRICE, product
from harness.system import demand
from misbehaviours import TASK_SECONDS, SECONDS, await_removal, demand_record, expired_guest, misbehaviour

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
    wait_until(lambda: set(wanted) <= set(shop.postgres.months_to_come()), TASK_SECONDS, "the tables of the months to come")


# --- what can't be read -----------------------------------------------------------------------------------------------


@misbehaviour
def an_unreadable_row(shop, bystander):
    """A row in PostgreSQL can't be read, and the copy in Redis is of another history"""
    owner = ("user", "unreadable-row")
    shop.add("p0", user=owner[1])
    shop.kept(user=owner[1])
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
    ended = expired_guest(shop, 1)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    await_removal(shop, ended)
    shop.sql(f"UPDATE cart.carts SET lines = '{lines}' {where}")
    demand(shop.lines(user=owner[1]) in ({"p0": 1}, {"p0": 1, "p1": 1}), "the row is mended, and the cart another")


@misbehaviour
def an_unreadable_hash(shop, bystander):
    """A cart in Redis can't be read, and a command waits for it"""
    user = "unreadable-hash"
    shop.add("p0", user=user)
    shop.add("hot1", user=user)
    with shop.without_syncer():
        answer = shop.order(user, "k", PRICE, skus=["hot1"])
        demand(answer.status == 201, f"an order: {answer.status} {answer.json}")
        key = shop.key(("user", user))
        shop.redis.ask("HSET", key, "=p0", "not a line", "#l", "1")
        shop.redis.ask("HDEL", key, "#i")
    demand(shop.number("SELECT count(*) FROM cart.cart_inbox") == 1, "no command waits")
    # Until its sender counts as dead.
    time.sleep(1.5)
    ended = expired_guest(shop, 2)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    await_removal(shop, ended)
    shop.redis.ask("DEL", key)
    wait_until(lambda: shop.lines(user=user) == {"p0": 1}, TASK_SECONDS, "the cart to come back")


@misbehaviour
def a_merge_into_an_unreadable_cart(shop, bystander):
    """A guest is being merged into a user's cart that can't be read"""
    user = "unreadable-user"
    shop.add("p0", user=user)
    shop.kept(user=user)
    key = shop.key(("user", user))
    guest = shop.add("p1").headers["guest-cart-id"]
    owner = ("guest", guest.partition(".")[0])
    shop.kept(guest=guest)
    shop.redis.ask("HSET", key, "=p0", "not a line")
    # As whoever has begun the merge has left it when he died.
    shop.redis.ask("HSET", shop.key(owner), "#s", "1", "#o", f"sum {user}")
    shop.redis.ask("ZADD", "cart:dirty", int(time.time() * 1000), shop.key(owner))
    wait_until(lambda: shop.number("SELECT count(*) FROM cart.carts WHERE state = 1"), 10, "the merge to be seen")
    shop.ask("GET", "/v1/cart", user=user, guest=guest)
    ended = expired_guest(shop, 3)
    # Until it counts as left behind.
    time.sleep(1.5)
    shop.reload()
    with bystander.shopping():
        time.sleep(SECONDS)
    await_removal(shop, ended)
    shop.redis.ask("DEL", key)
    shop.ask("GET", "/v1/cart", user=user, guest=guest)
    wait_until(lambda: shop.lines(user=user) == {"p0": 1, "p1": 1}, TASK_SECONDS, "the merge")


@misbehaviour
def a_cart_that_postgres_refuses(shop, bystander):
    """PostgreSQL refuses one shopper's cart"""
    _refused(shop, bystander, "cart", ["carts"])


@misbehaviour
def a_record_that_postgres_refuses(shop, bystander):
    """PostgreSQL refuses the record of one shopper's changes"""
    _refused(shop, bystander, "record", _tables_of_the_record(shop))


@misbehaviour
def a_record_that_breaks_a_rule(shop, bystander):
    """The record of one shopper's changes breaks a rule that somebody has made"""
    _refused(shop, bystander, "ruled", _tables_of_the_record(shop), "check_violation")


def _tables_of_the_record(shop):
    tables = shop.postgres.tables("owner_id", "version", "action", "request_id")
    demand(tables, "no table holds the record")
    return tables


def _refused(shop, bystander, what, tables, error="raise_exception"):
    user = f"refused-{what}"
    owner = ("user", user)
    version = shop.add("p0", user=user).json["version"]
    shop.await_persisted(owner, version)
    shop.await_rest()
    shop.sql(
        f"CREATE FUNCTION cart.refuse_{what}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NEW.owner_id = '{user}' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '{error}'; END IF;"
        " RETURN NEW; END $$"
    )
    for table in tables:
        shop.sql(
            f"CREATE TRIGGER refuse_{what} BEFORE INSERT OR UPDATE ON cart.{table}"
            f" FOR EACH ROW EXECUTE FUNCTION cart.refuse_{what}()"
        )
    changes = 2 * SECONDS
    with bystander.excused(), shop.without_syncer():
        # They stand beside each other.
        for number in range(12):
            bystander.act(("user", "guest")[number % 2], number)
            shop.add("p1", user=user)
    with bystander.shopping():
        for _ in range(changes):
            version = shop.add("p1", user=user).json["version"]
            time.sleep(0.5)
    demand(shop.lines(user=user)["p1"] == changes + 12, "his own cart is not served")
    if what != "cart":
        demand(shop.version_in_postgres(owner) >= version, "the cart waits for its record")
    for _, name in bystander.owners["user"]:
        number = shop.must("GET", "/v1/cart", user=name).json["version"]
        wait_until(lambda: len(shop.record(name)) >= number, 10, f"the record of {name}")  # noqa: B023
    for table in tables:
        shop.sql(f"DROP TRIGGER refuse_{what} ON cart.{table}")
    # It is tried again less and less often, but after these seconds soon.
    shop.await_persisted(owner, version, 60)
    wait_until(lambda: len(shop.record(user)) >= version, 60, "the record")
    demand_record(shop, user)


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
            used = int(shop.redis.ask("INFO", "memory").partition("used_memory:")[2].split("\r\n")[0])
            shop.redis.ask("CONFIG", "SET", "maxmemory", used // 2)
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
        wait_until(lambda: not redis("XLEN", "cart:stream"), TASK_SECONDS, "what fills Redis to be worked off")
        redis("CONFIG", "SET", "maxmemory", 0)
    wait_until(
        lambda: shop.ask("POST", "/v1/cart/lines", {"sku": "p9"}, user=user).status == 200, TASK_SECONDS, "memory"
    )


# --- commands and nodes -----------------------------------------------------------------------------------------------


def _demand_readiness(shop):
    answer = shop.ready()
    demand(answer.status == 200 and answer.json["change"], f"/ops/ready: {answer.status} {answer.json}")


@misbehaviour
def commands_with_a_stray_redis(shop, bystander):
    """Every command is run with the address of another, empty Redis"""
    user = "user:" + bystander.owners["user"][0][1]
    refused = ("rebuild --dry-run", "rebuild", f"restore {user}", f"sync {user}", "sync --all",
               "forget user:nobody --yes", "drain")  # fmt: skip
    others = (f"show {user}", f"log {user}", "status", "catalog show p1", "adopt", "doctor")
    with RedisServer(f"{shop.folder}/stray") as stray, bystander.shopping():
        address = {"CART_REDIS": f"unix:{stray.socket}"}
        said = {command: shop.run_cartctl(*command.split(), **address) for command in (*refused, *others)}
        shop.run_import([product("p1")], **address)
        time.sleep(2)
        found = stray.ask("KEYS", "*")
        _demand_readiness(shop)
    for command in refused:
        told = said[command]
        demand(told.returncode == 1 and shop.redis.socket in told.stderr, f"{command}: {told}")
    demand(shop.redis.socket in said["doctor"].stdout, f"the doctor does not name the shop's Redis: {said['doctor']}")
    demand(not found, f"something was brought into the stray Redis: {found[:3]}")
    # Workers that have never met a restore as well.
    shop.reload()
    for number in range(40):
        shop.add("p1", user=f"after-stray-{number}")


@misbehaviour
def a_cartd_with_a_stray_redis(shop, bystander):
    """Another cartd runs for some seconds with the address of another, empty Redis"""
    with RedisServer(f"{shop.folder}/stray-of-cartd") as stray, bystander.shopping():
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
            shop.redis.ask("FLUSHALL")
            bystander.lose()
        time.sleep(SECONDS / 2)
