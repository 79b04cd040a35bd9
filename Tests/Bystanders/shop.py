"""A whole system for one test: Redis, PostgreSQL and cartd as the ledger starts them, without proxies between them."""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Ledger"))

import wire  # noqa: E402
from proxies import Cable, signal_own  # noqa: E402, F401
from servers import ROLE, RedisServer, System, command_line, end, wait_until  # noqa: E402, F401

IS_LONG = bool(os.environ.get("CART_TEST_LONG"))
BINARIES = os.environ.get("CART_TEST_BINARIES") or os.path.join(ROOT, ".build", "release")
WORKERS = 4
# The most lines that a cart may have, and that one request may add.
MOST_LINES, MOST_ADDED = 2000, 100
SECONDS_TO_REST = 60
PRICE = 100


class Shop(System):
    """Products `big0` to `big1999`, which fill a cart, `p0` to `p2999`, and a few that are counted: `hot0` to `hot9`."""

    PLAIN, HOT, STOCK = 3000, 10, 1_000_000

    def __init__(self, is_direct=True, **settings):
        super().__init__(tempfile.mkdtemp(prefix="cart-bystander-", dir="/tmp"), BINARIES, WORKERS, 0)
        self.environment |= settings
        self.sessions = []
        try:
            stocks = {f"big{number}": None for number in range(MOST_LINES)}
            stocks |= {f"p{number}": None for number in range(self.PLAIN)}
            self.offer(stocks | {f"hot{number}": self.STOCK for number in range(self.HOT)})
            self.start_cartd(is_direct)
            self.sql = self.session()
        except BaseException:
            self.close()
            raise

    def offer(self, stocks, price=PRICE):
        """Imports products with these stocks; the exit code of the import."""
        path = os.path.join(self.folder, "catalog.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            for sku, stock in stocks.items():
                product = {"sku": sku, "name": sku, "unitPrice": price, "currency": "GBP", "stock": stock}
                file.write(json.dumps(product) + "\n")
        return self.run_cartctl("catalog", "import", path).returncode

    def close(self):
        for session in self.sessions:
            session.close()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- requests -----------------------------------------------------------------------------------------------------

    def ask(self, method, uri, body=None, user=None, guest=None, key=None, listen=None, seconds=15, **params):
        """One request. Throws `wire.Cut` where there is no answer."""
        params |= {"CART_USER": user or ""}
        if guest:
            params["HTTP_GUEST_CART_ID"] = guest
        if key:
            params["HTTP_IDEMPOTENCY_KEY"] = key
        return wire.request(listen or self.listen, method, uri, body, seconds, **params)

    def must(self, method, uri, body=None, **identity):
        answer = self.ask(method, uri, body, **identity)
        if answer.status not in (200, 201):
            raise AssertionError(f"{method} {uri}: {answer.status} {answer.json}")
        return answer

    def add(self, sku, quantity=1, **identity):
        return self.must("POST", "/v1/cart/lines", {"sku": sku, "quantity": quantity}, **identity)

    def lines(self, **identity):
        """SKU → quantity in the cart."""
        answer = self.must("GET", "/v1/cart", **identity)
        if "cart-source" in answer.headers:
            raise AssertionError("the cart is read from PostgreSQL")
        return {line["sku"]: line["quantity"] for line in answer.json["lines"]}

    def fill(self, user, lines=MOST_LINES):
        """Makes a cart of so many lines, which PostgreSQL has too."""
        for start in range(0, lines, MOST_ADDED):
            skus = [{"sku": f"big{number}"} for number in range(start, start + MOST_ADDED)]
            self.must("POST", "/v1/cart/lines?view=summary", {"lines": skus}, user=user)
        self.must("POST", "/v1/cart/sync", user=user)

    def select_all(self, user, is_selected):
        return self.ask(
            "PUT", "/v1/cart/selection?view=summary", {"selected": is_selected, "all": True}, user=user, seconds=40
        )

    def order(self, user, key, total, **body):
        return self.ask("POST", "/v1/orders", {"expectedTotal": total} | body, user=user, key=key)

    def ready(self):
        """What `/ops/ready` says."""
        return wire.request(self.listen + ".ops", "GET", "/ops/ready", None, 5)

    # --- processes ----------------------------------------------------------------------------------------------------

    def signal(self, pids, number):
        for pid in pids:
            signal_own(pid, number, self.own())

    @contextlib.contextmanager
    def stopped(self, pids):
        """Processes get no time meanwhile."""
        self.signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(reversed(pids), signal.SIGCONT)

    def postgres_stopped(self):
        return self.stopped(self.postgres.family())

    def syncer_stopped(self):
        """The master as well, which would replace a syncer that is stopped."""
        return self.stopped([self.master.pid, *self.syncers()])

    @contextlib.contextmanager
    def without_syncer(self):
        """The syncer has ended in order, and its master can't take note of it now."""
        with self.stopped([self.master.pid]):
            pids = self.syncers()
            self.signal(pids, signal.SIGTERM)
            wait_until(lambda: not any(any(command_line(pid)) for pid in pids), 15, "the syncer's end")
            yield

    def reload(self):
        """Workers and syncer are replaced, and whatever a syncer does at its start is due."""
        before = self.syncers()
        self.make_tasks_due()
        wait_until(lambda: (now := self.syncers()) and not set(now) & set(before), 30, "another syncer")

    def restart_redis(self, between=lambda: None):
        """Ends it at once, and starts it with what it has written."""
        self.redis.kill()
        between()
        self.redis.start()

    # --- stores -------------------------------------------------------------------------------------------------------

    def redis_link(self):
        return wire.Redis(self.redis.socket, 30)

    def session(self):
        """A session of the tables' owner in PostgreSQL, which may keep a transaction open."""
        self.sessions.append(wire.Postgres(self.postgres.folder, ROLE, ROLE))
        return self.sessions[-1]

    def number(self, query):
        return int(self.sql(query)[0][0])

    def key(self, owner):
        """Of a cart in Redis."""
        return f"cart:{owner[0]}:{owner[1]}"

    def version_in_postgres(self, owner):
        rows = self.sql(f"SELECT version FROM cart.carts WHERE (owner_kind, owner_id) = ('{owner[0]}', '{owner[1]}')")
        return int(rows[0][0]) if rows else 0

    def await_persisted(self, owner, version, seconds=20):
        wait_until(lambda: self.version_in_postgres(owner) >= version, seconds, f"version {version} of {owner}")

    def unfinished(self):
        """What there is still to be done, by what it waits in."""
        with self.redis_link() as redis:
            left = {"changes": redis("XLEN", "cart:stream"), "dirty carts": redis("ZCARD", "cart:dirty")}
        left["commands"] = self.number("SELECT count(*) FROM cart.cart_inbox")
        left["merges"] = self.number("SELECT count(*) FROM cart.carts WHERE state = 1")
        return {name: count for name, count in left.items() if count}

    def await_rest(self, seconds=SECONDS_TO_REST):
        """Until all that was done is persisted and recorded."""
        try:
            wait_until(lambda: not self.unfinished(), seconds, "rest")
        except TimeoutError as error:
            raise AssertionError(f"never at rest: {self.unfinished()}") from error

    def record(self, user):
        """Version → how many lines its change has in the record, for each row of it: one too often is seen."""
        rows = self.sql(
            "SELECT version, count(*), count(DISTINCT sku) FROM cart.cart_changes"
            f" WHERE (owner_kind, owner_id) = ('user', '{user}') GROUP BY version"
        )
        for version, count, different in rows:
            if count != different:
                raise AssertionError(f"version {version} of {user} is recorded more than once: {count} of {different}")
        return {int(version): int(count) for version, count, _ in rows}

    def copy_rows(self, table, where, count, changes, first=1):
        """Copies the row of a table `count` times; `changes`: column → SQL for its value, in which `n` is the copy's
        number, from `first` on."""
        columns = [
            row[0]
            for row in self.sql(
                f"SELECT attname FROM pg_attribute WHERE attrelid = 'cart.{table}'::regclass AND attnum > 0"
                " AND NOT attisdropped AND attgenerated = '' AND attidentity = ''"
            )
        ]
        values = ", ".join(changes.get(column, f"t.{column}") for column in columns)
        self.sql(
            f"INSERT INTO cart.{table} ({', '.join(columns)}) SELECT {values}"
            f" FROM cart.{table} AS t, generate_series({first}, {first + count - 1}) AS n WHERE {where}"
        )


@contextlib.contextmanager
def background(body, threads=1):
    """Runs `body(stopping, number)` in threads of its own until the block ends; what one throws is thrown here."""
    stopping, failures = threading.Event(), []

    def run(number):
        try:
            body(stopping, number)
        except Exception as error:  # it must not go unnoticed
            failures.append(error)

    running = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in running:
            thread.join(60)
    if failures:
        raise failures[0]


def pace(stopping, per_second):
    """Yields so often until it is to stop; who is late is not hurried."""
    while not stopping.is_set():
        began = time.monotonic()
        yield
        stopping.wait(max(0.0, began + 1 / per_second - time.monotonic()))
