"""Single workers of cartd, each at a socket of its own, over one Redis and one PostgreSQL: a shop in which nothing
happens unless it is asked for. A request can be held at a step of the protocol while others do something else."""

import concurrent.futures
import os
import shutil
import socket
import tempfile

import audit
from harness.processes import end, wait_until
from harness.shop import PRICE, quantities
from harness.system import Served, Violation, demand
from servers import System

SECONDS_TO_REST = 30
# A request that is held, or waits for one that is.
SECONDS = 20


class Worker(Served):
    """One process; killed, it is there again for the next request."""

    def __init__(self, fleet, name):
        self.fleet = fleet
        self.listen = os.path.join(fleet.folder, f"{name}.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.listen)
        self.listener.listen(64)
        self.process = None
        self.tend()

    def tend(self):
        if self.process is None or self.process.poll() is not None:
            self.process = self.fleet.start_worker(self.listener)
            self.fleet.tell_victims()

    def await_death(self):
        """After something has killed it: a request before that would wait for nobody."""
        self.process.wait(SECONDS)

    def ask(self, *request, condition=None, **identity):
        self.tend()
        params = {"HTTP_IF_MATCH": condition} if condition else {}
        return super().ask(*request, seconds=SECONDS, **identity, **params)


class Fleet(System):
    """Two workers, and a syncer only where a schedule starts one."""

    PRICE = PRICE
    STOCK = 1_000_000

    def __init__(self, binaries, products, seed=0):
        folder = tempfile.mkdtemp(prefix="cart-fleet-", dir="/tmp")
        self.pool = concurrent.futures.ThreadPoolExecutor(8)
        self.products = 0
        self.people = 0
        super().__init__(folder, binaries, 1, seed)
        self.offer({f"p{number}": self.STOCK for number in range(products)})
        self.first, self.second = Worker(self, "first"), Worker(self, "second")

    def offer(self, stocks):
        demand(super().offer(stocks) == 0, "an import has failed")

    def start_worker(self, listener):
        process = self.run_cartd("--worker", stdin=listener)
        self.others = [other for other in self.others if other.poll() is None] + [process]
        return process

    def user(self):
        self.people += 1
        return f"user{self.people}"

    def skus(self, count):
        """Products that nobody else has."""
        self.products += count
        return [f"p{number}" for number in range(self.products - count, self.products)]

    # --- time -----------------------------------------------------------------------------------------------------------

    def strike(self, store, step, side, action):
        """What is to happen when that step is next reached."""
        self.proxy(store).order("rule", step, side, action, 0, 1)

    def spare(self):
        """Nothing is to happen that has not."""
        for proxy in (self.redis_proxy, self.postgres_proxy):
            proxy.order("clear")

    def begin(self, request):
        """Sends a request that is held somewhere; its future."""
        return self.pool.submit(request)

    def hold(self, store, step, side, request):
        """Sends a request and waits until it is held at a step."""
        self.strike(store, step, side, "hold")
        future = self.begin(request)

        def is_held():
            return self.proxy(store).order("held") or future.done()

        wait_until(is_held, SECONDS, f"{step} to be reached")
        demand(self.proxy(store).order("held"), f"{step} was not reached: {future.done() and future.result().json}")
        return future

    def release(self, store, step, side, outcome=None):
        self.proxy(store).order("release", step, side, outcome)

    def recover(self):
        """After a schedule that has failed: whether others may follow."""
        self.spare()
        self.tend()
        if self.syncer:
            self.stop_syncer()
        return self.redis.answers()

    # --- faults -----------------------------------------------------------------------------------------------------------

    def flush(self):
        self.redis.ask("FLUSHALL")

    def other_syncer(self):
        """One more, which whoever starts it ends."""
        self.others.append(self.run_cartd("--syncer"))
        self.tell_victims()
        return self.others[-1]

    def stop_syncer(self):
        end(self.syncer)
        self.syncer = None

    # --- what is there ----------------------------------------------------------------------------------------------------

    def orders(self, user):
        """What a user has ordered: one dictionary of SKU → quantity for each order."""
        answer = self.first.must("GET", "/v1/orders?limit=100", user=user)
        return [quantities(order) for order in answer.json["orders"]]

    def stock(self, sku):
        return int(self.postgres.psql(f"SELECT stock FROM cart.skus WHERE sku = '{sku}'"))

    def rest(self):
        """Lets a syncer do all that there is to do."""
        self.start_syncer()

        left = {}

        def is_at_rest():
            sizes = (("ZCARD", "cart:dirty"), ("XLEN", "cart:stream"), ("ZCARD", "cart:quarantine"))
            left["in Redis"] = [self.redis.ask(*words) for words in sizes]
            left["commands"] = self.postgres.psql("SELECT owner_kind, owner_id, action FROM cart.cart_inbox").split()
            return not any(left["in Redis"]) and not left["commands"]

        try:
            wait_until(is_at_rest, SECONDS_TO_REST, "rest")
        except TimeoutError as error:
            raise Violation(f"never at rest: {left}") from error
        finally:
            self.stop_syncer()

    def audit(self):
        """Redis equals PostgreSQL, at rest."""
        self.rest()
        finding = audit.Finding()
        audit.compare_stores(self, finding)
        texts = [text for texts in finding.faults.values() for text in texts]
        demand(not texts, f"{len(texts)} differences: {texts[:3]}")

    def stop(self):
        self.spare()
        super().stop()
        self.pool.shutdown(wait=False)
        shutil.rmtree(self.folder, ignore_errors=True)
