"""The runs: servers that are made for one, shoppers and faults, then the audit and its table."""

import os
import shutil
import signal
import tempfile
import time

import audit
import audit_orders
from books import Books, Setback, now
from harness import wire
from harness.processes import wait_until
from nemesis import Nemesis
from servers import System
from shoppers import Market, Products, Shopper

PRINTED_FAULTS = 8
# Until a dead syncer's work is taken over, and then some.
SECONDS_TO_REST = 30
PRODUCTS_PER_SECOND = 1500


def log(text):
    print(text, flush=True)


class Run:
    """One run over servers that are made for it."""

    def __init__(self, options, seed, seconds):
        self.options = options
        self.seed = seed
        self.seconds = seconds
        self.books = Books()
        self.finding = audit.Finding()
        self.folder = tempfile.mkdtemp(prefix="cart-ledger-", dir="/tmp")
        self.system = System(self.folder, options.binaries, options.workers, seed)
        self.products = Products(int(seconds * PRODUCTS_PER_SECOND) + 2000)
        catalogue = os.path.join(self.folder, "catalog.ndjson")
        with open(catalogue, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in self.products.lines())
        self.system.cartctl("catalog", "import", catalogue)
        self.system.start_cartd()
        self.market = Market(self.books, options.carts)
        self.shoppers = [
            Shopper(number, seed, self.system.listen, self.books, self.market, self.products)
            for number in range(options.clients)
        ]

    def close(self):
        """Ends all that was started."""
        for shopper in self.shoppers:
            shopper.stopping.set()
        self.system.stop()
        if self.options.keep:
            log(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def shop(self, body):
        """Runs `body` while the shoppers shop."""
        self.began = now()
        for shopper in self.shoppers:
            shopper.start()
        try:
            body()
        finally:
            for shopper in self.shoppers:
                shopper.stopping.set()
        for shopper in self.shoppers:
            shopper.join(60)
            if shopper.is_alive():
                raise TimeoutError("a shopper does not come back")
            if shopper.failure:
                raise shopper.failure

    def settle(self, nemesis):
        """Has every cart looked at, so that what Redis lost comes back, and waits until all is persisted."""
        for cart in self.books.carts:
            for name in list(cart.identities):
                identity = {"CART_USER" if cart.kind == "user" else "HTTP_GUEST_CART_ID": name}
                self.look(identity | ({"CART_USER": cart.user} if cart.user else {}))

        unreadable = self.system.unreadable
        keys = {f"cart:{kind}:{name}" for kind, name in unreadable}

        def is_at_rest():
            nemesis.rest(0)
            commands = self.system.postgres.rows("SELECT owner_kind, owner_id FROM cart_inbox")
            with wire.Redis(self.system.redis.socket) as redis:
                self.left = {
                    "dirty": len(set(redis("ZRANGE", "cart:dirty", 0, -1)) - keys),
                    "stream": redis("XLEN", "cart:stream"),
                    "quarantine": len(set(redis("ZRANGE", "cart:quarantine", 0, -1)) - keys),
                    "inbox": sum((row["owner_kind"], row["owner_id"]) not in unreadable for row in commands),
                    "merging": int(self.system.postgres.psql("SELECT count(*) FROM cart.carts WHERE state = 1")),
                    "stock": audit_orders.shown_stock(self.system, self.products.scarce),
                }
            return not any(self.left.values())

        try:
            wait_until(is_at_rest, SECONDS_TO_REST, "rest")
        except TimeoutError:
            self.finding.fault("not at rest", f"{self.left}; {self.histories()}")

    def histories(self):
        """By what number each store knows Redis's history, for whoever looks for the cause."""
        rows = self.system.postgres.rows("SELECT number, replication_id FROM redis_lineages ORDER BY number")
        with wire.Redis(self.system.redis.socket) as redis:
            identity = redis("INFO", "replication").partition("master_replid:")[2].split("\r\n")[0]
            return f"Redis is {identity}, knows {redis('GET', 'cart:lineage')}; PostgreSQL knows {rows[-3:]}"

    def look(self, identity):
        end = now() + 20
        while now() < end:
            try:
                answer = wire.request(self.system.listen, "GET", "/v1/cart?view=summary", **identity)
                is_served = answer.status == 200 and "cart-source" not in answer.headers
                if is_served and not answer.json.get("merge", {}).get("pending"):
                    return
            except wire.Cut:
                pass
            time.sleep(0.05)
        self.finding.fault("not at rest", f"{identity} can't be read")

    def audit(self):
        carts, rows = audit.compare_stores(self.system, self.finding)
        orders = audit_orders.read_orders(self.system)
        found = audit.audit_books(self.books, carts, rows, audit_orders.ordered(orders), self.finding)
        audit_orders.audit_orders(self.books, orders, self.finding)
        audit_orders.audit_scarce(self.books, found, self.products, self.finding)
        audit_orders.audit_stock(self.system, self.products, orders, self.finding)
        audit.audit_sightings(self.books, self.finding)
        audit.audit_record(self.system, self.books, self.finding)

    def mixed(self):
        options = self.options
        nemesis = Nemesis(self.system, self.books, self.seed, options.faults, options.pauses, self.products.heavy)
        self.shop(lambda: nemesis.run(self.seconds))
        self.settle(nemesis)
        self.audit()
        self.report(nemesis)

    def pg_hang(self):
        """PostgreSQL hangs for as long as the run lasts: carts that Redis holds, and new guests, do not notice."""
        nemesis = Nemesis(self.system, self.books, self.seed, [], 0)
        before = {}

        def hang():
            time.sleep(2)
            self.market.takes_guests_only, self.market.takes_orders = True, False
            time.sleep(1)
            before.update(self.books.statuses)
            nemesis.do_pg_hang(self.seconds)
            failed = {status: count - before.get(status, 0) for status, count in self.books.statuses.items()
                      if status not in (200, 412, 422) and count > before.get(status, 0)}  # fmt: skip
            if failed:
                self.finding.fault("not at rest", f"requests failed while PostgreSQL hung: {failed}")
            served = sum(self.books.statuses.values()) - sum(before.values())
            self.finding.counts["requests served while PostgreSQL hung"] = served

        for shopper in self.shoppers:
            shopper.pause = 0.02
        self.shop(hang)
        self.settle(nemesis)
        self.audit()
        self.report(nemesis)

    def renumbered(self):
        """PostgreSQL forgets the history that Redis is in, and gives it another number: nobody goes by the old one."""
        nemesis = Nemesis(self.system, self.books, self.seed, [], 0)
        redis, postgres = self.system.redis, self.system.postgres

        def is_registered():
            with wire.Redis(redis.socket) as link:
                known = (link("GET", "cart:lineage") or "").split("|")[0]
                return known and f"master_replid:{known}" in link("INFO", "replication")

        def forget():
            time.sleep(1)
            copied = now()
            postgres.stop()
            postgres.save()
            postgres.start()
            redis.kill()
            nemesis.tend()
            wait_until(is_registered, 20, "a number for Redis's history")
            time.sleep(1)
            postgres.stop()
            # As if whoever has registered it had died before he could say so; only the syncer knows.
            for pid in self.system.workers():
                nemesis.send(pid, signal.SIGKILL)
            with wire.Redis(redis.socket) as link:
                link("DEL", "cart:lineage")
            postgres.go_back()
            self.system.tell_victims()
            self.books.set_back.append(Setback(copied, now()))
            nemesis.rest(self.seconds)
            before = dict(self.books.statuses)
            nemesis.rest(2)
            failed = self.books.statuses.get(503, 0) - before.get(503, 0)
            if failed:
                self.finding.fault("not at rest", f"{failed} requests failed in the end")

        for shopper in self.shoppers:
            shopper.pause = 0.02
        self.shop(forget)
        self.settle(nemesis)
        self.audit()
        self.report(nemesis)

    def report(self, nemesis):
        counts, statuses = self.finding.counts, self.books.statuses
        log(f"seed {self.seed}: {self.seconds:g} s, {len(self.shoppers)} shoppers, {sum(statuses.values())} requests "
            + ", ".join(f"{status}: {statuses[status]}" for status in sorted(statuses, key=str))
            + f"; {self.books.retries} retries, {self.books.replays} replays")  # fmt: skip
        if nemesis.counts:
            log("  faults: " + ", ".join(f"{kind} {count}" for kind, count in nemesis.counts.items()))
        self.report_steps()
        if not self.finding.is_clean:
            log("  when: " + "; ".join(nemesis.timeline))
        for loss in self.books.losses:
            if loss.fault != "kill":
                log(f"  {loss}")
        log(f"  sync lag before losses: at most {nemesis.longest_lag:.2f} s,"
            f" {nemesis.longest_undisturbed_lag:.2f} s where nothing disturbed it")  # fmt: skip
        counts["guests who logged in"] = self.books.logins
        counts["carts left unreadable"] = len(self.system.unreadable)
        for name in ("acknowledged", "refused", "unknown", "lost inside the window", *audit.LOST_BY.values()):
            log(f"  {name:<45}{counts.pop(name, 0):>8}")
        for name, count in sorted(counts.items()):
            log(f"  {name:<45}{count:>8}")
        for kind, texts in self.finding.faults.items():
            log(f"  {kind:<45}{len(texts):>8}{'  FAULT' if texts else ''}")
            for text in texts[:PRINTED_FAULTS]:
                log(f"    {text}")

    def report_steps(self):
        done = []
        for proxy in (self.system.redis_proxy, self.system.postgres_proxy):
            for (step, side, action), count in sorted(proxy.order("counts").items()):
                if action != "seen":
                    done.append(f"{side} {step}: {action} {count}")
        if done:
            log("  at steps: " + "; ".join(done))
