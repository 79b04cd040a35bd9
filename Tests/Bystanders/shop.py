"""A whole shop for one test, and what goes on in it meanwhile."""

import contextlib
import os
import shutil
import signal
import tempfile

from harness import wire
from harness.processes import command_line, signal_own, wait_until
from harness.servers import ROLE, ROOT
from harness.shop import LINES
from harness.system import System, Violation, demand

BINARIES = os.environ.get("CART_TEST_BINARIES") or os.path.join(ROOT, ".build", "release")
WORKERS = 4
# The most lines that a cart may have, and that one request may add.
MOST_LINES, MOST_ADDED = 2000, 100
SECONDS_TO_REST = 60


class Shop(System):
    """Products `big0` to `big1999`, which fill a cart, `p0` to `p2999`, and a few that are counted: `hot0` to `hot9`."""

    PLAIN, HOT, STOCK = 3000, 10, 1_000_000

    def __init__(self):
        super().__init__(tempfile.mkdtemp(prefix="cart-bystander-", dir="/tmp"), BINARIES, WORKERS)
        self.sessions = []
        try:
            stocks = {f"big{number}": None for number in range(MOST_LINES)}
            stocks |= {f"p{number}": None for number in range(self.PLAIN)}
            self.offer(stocks | {f"hot{number}": self.STOCK for number in range(self.HOT)})
            self.start_cartd()
            self.sql = self.session()
        except BaseException:
            self.close()
            raise

    def close(self):
        for session in self.sessions:
            session.close()
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- requests -----------------------------------------------------------------------------------------------------

    def fill(self, user, lines=MOST_LINES):
        """Makes a cart of so many lines, which PostgreSQL has too."""
        for start in range(0, lines, MOST_ADDED):
            skus = [{"sku": f"big{number}"} for number in range(start, start + MOST_ADDED)]
            self.must("POST", f"{LINES}?view=summary", {"lines": skus}, user=user)
        self.kept(user=user)

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
            wait_until(lambda: not any(command_line(pid) for pid in pids), 15, "the syncer's end")
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
        ask = self.redis.ask
        left = {"changes": ask("XLEN", "cart:stream"), "dirty carts": ask("ZCARD", "cart:dirty")}
        left["commands"] = self.number("SELECT count(*) FROM cart.cart_inbox")
        left["merges"] = self.number("SELECT count(*) FROM cart.carts WHERE state = 1")
        return {name: count for name, count in left.items() if count}

    def await_rest(self, seconds=SECONDS_TO_REST):
        """Until all that was done is persisted and recorded."""
        try:
            wait_until(lambda: not self.unfinished(), seconds, "rest")
        except TimeoutError as error:
            raise Violation(f"never at rest: {self.unfinished()}") from error

    def record(self, user):
        """Version → how many lines its change has in the record, for each row of it: one too often is seen."""
        rows = self.sql(
            "SELECT version, count(*), count(DISTINCT sku) FROM cart.cart_changes"
            f" WHERE (owner_kind, owner_id) = ('user', '{user}') GROUP BY version"
        )
        for version, count, different in rows:
            demand(count == different, f"version {version} of {user} is recorded twice: {count} of {different}")
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
