"""A whole shop of one's own, under one folder: a Redis, a PostgreSQL, and a cartd that is asked without nginx."""

import os
import signal
import subprocess
import time

from harness import wire
from harness.processes import children_with, end, signal_own, start, wait_until
from harness.servers import PostgresServer, RedisServer
from harness.shop import LINES, PRICE, Shop, product, quantities


class Violation(AssertionError):
    """A rule that is watched was broken."""


def demand(condition, text):
    if not condition:
        raise Violation(text)


class Served:
    """Whoever is one is asked at the socket `listen`."""

    def ask(self, method, uri, body=None, user=None, guest=None, key=None, listen=None, seconds=15, **params):
        """One request. Throws `wire.Cut` where there is no answer."""
        params |= {"CART_USER": user or ""}
        if guest:
            params["HTTP_GUEST_CART_ID"] = guest
        if key:
            params["HTTP_IDEMPOTENCY_KEY"] = key
        return wire.request(listen or self.listen, method, uri, body, seconds, **params)

    def must(self, method, uri, body=None, **identity):
        """One request that must be answered with 200 or 201."""
        answer = self.ask(method, uri, body, **identity)
        demand(answer.status in (200, 201), f"{method} {uri}: {answer.status} {answer.json}")
        return answer

    def add(self, sku, quantity=1, **identity):
        return self.must("POST", LINES, {"sku": sku, "quantity": quantity}, **identity)

    def lines(self, **identity):
        """SKU → quantity in the cart."""
        answer = self.must("GET", "/v1/cart", **identity)
        demand("cart-source" not in answer.headers, "the cart is read from PostgreSQL")
        return quantities(answer.json)

    def kept(self, **identity):
        """Has the cart persisted."""
        return self.must("POST", "/v1/cart/sync", **identity)


class System(Shop, Served):
    """Nothing is between cartd and its stores here; who puts something there changes `environment`."""

    def __init__(self, folder, binaries, workers):
        self.folder = folder
        self.binaries = binaries
        os.chmod(folder, 0o711)
        self.redis = RedisServer(os.path.join(folder, "redis"))
        self.postgres = PostgresServer(os.path.join(folder, "postgres"))
        self.listen = os.path.join(folder, "cartd.sock")
        self.log = os.path.join(folder, "cartd.log")
        secret = os.path.join(folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex())
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("CART_", "PG"))}
        self.environment |= {"CART_LISTEN": f"unix:{self.listen}", "CART_GUEST_SECRET_FILE": secret}
        self.environment |= {"CART_WORKERS": str(workers), "CART_LOG_LEVEL": "notice"}
        # What one shopper may do in a minute is not what keeps him from harming others here.
        self.environment |= {"CART_TOUCH_LIMIT": "0"} | self.stores()
        self.syncer = None
        self.master = None
        # Workers, syncers and masters beside those two.
        self.others = []
        self.cartctl("migrate")

    def stores(self):
        """Where the stores themselves are, as the configuration says it."""
        return {"CART_REDIS": f"unix:{self.redis.socket}", "CART_DATABASE": self.postgres.database()}

    @property
    def variables(self):
        """Those of cartctl, which nothing keeps from the stores."""
        return self.environment | self.stores()

    def offer(self, stocks, price=PRICE):
        """Imports products with these stocks; the exit code of the import."""
        return self.run_import(product(sku, unitPrice=price, stock=stock) for sku, stock in stocks.items()).returncode

    # --- processes ----------------------------------------------------------------------------------------------------

    def start_cartd(self):
        self.master = self.run_cartd()
        wait_until(lambda: os.path.exists(self.listen) and self.workers(), 20, "cartd")
        time.sleep(0.2)
        if not children_with(self.master.pid, "--syncer"):
            self.syncer = self.run_cartd("--syncer")

    def run_cartd(self, *arguments, stdin=subprocess.DEVNULL, **environment):
        command = [os.path.join(self.binaries, "cartd"), *arguments]
        return start(command, self.log, self.environment | environment, at_end="KILL", stdin=stdin)

    def second_cartd(self, redis):
        """Another cartd on the same PostgreSQL with another Redis; the path at which it listens."""
        listen = os.path.join(self.folder, f"cartd{len(self.others)}.sock")
        self.others.append(self.run_cartd(CART_REDIS=f"unix:{redis.socket}", CART_LISTEN=f"unix:{listen}"))
        wait_until(lambda: os.path.exists(listen), 20, "the other cartd")
        return listen

    def cartds(self):
        return [process for process in (self.master, self.syncer, *self.others) if process]

    def own(self):
        """The processes that were started here, for whoever ends one of them or a child of theirs."""
        started = (*self.cartds(), self.redis.process, self.postgres.process)
        return [process.pid for process in started if process.poll() is None]

    def syncers(self):
        """The syncers alive: the master's, or the one that runs beside it."""
        beside = [self.syncer.pid] if self.syncer and self.syncer.poll() is None else []
        return children_with(self.master.pid, "--syncer") + beside

    def workers(self):
        return children_with(self.master.pid, "--worker")

    def make_tasks_due(self):
        """Has the syncer do at once what it does from time to time."""
        self.redis.ask("DEL", "cart:tasks")
        signal_own(self.master.pid, signal.SIGHUP, self.own())

    def stop(self):
        for process in reversed(self.cartds()):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                end(process)
        self.redis.kill()
        for pid in self.postgres.family():
            signal_own(pid, signal.SIGCONT, self.own())
        self.postgres.stop()
