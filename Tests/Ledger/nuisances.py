"""What goes wrong around the shop: one shopper's changes of many lines, a Redis that is not the shop's, a reader who
holds tables, a product that somebody has locked, what can't be read, a Redis that is demoted and comes back. Nobody
else is to notice."""

import json
import os
import threading
import time

from books import now
from harness import wire
from harness.processes import end
from harness.servers import ROLE, RedisServer

NUISANCES = ("toggles", "stray", "unreadable-row", "unreadable-hash", "reader", "locked-product", "demotion")
LINES_A_REQUEST = 100
# At most, and between two.
TOGGLES, TOGGLE_PAUSE = 40, 0.05
# With the address of another Redis; OWNER becomes that of a cart.
COMMANDS = (
    ("rebuild", "--dry-run"), ("rebuild",), ("show", "OWNER"), ("restore", "OWNER"), ("sync", "OWNER"), ("sync", "--all"),
    ("log", "OWNER"), ("status",), ("doctor",), ("forget", "user:nobody", "--yes"),
)  # fmt: skip


class Nuisances:
    """A part of `Nemesis`."""

    # --- many lines ---------------------------------------------------------------------------------------------------

    def do_toggles(self):
        """All lines of a big cart are checked and unchecked again and again, and PostgreSQL hangs meanwhile."""
        self.togglers += 1
        user = f"toggler{self.togglers}"
        # It is looked at in the end as every cart is.
        self.books.add_cart("user", user, 0)
        thread = threading.Thread(target=self.toggle, args=(user,), daemon=True)
        thread.start()
        self.rest(self.random.uniform(1, 2))
        self.do_pg_hang()
        while thread.is_alive():
            self.rest(0.1)

    def toggle(self, user):
        heavy, until = self.heavy, now() + 8
        bodies = [
            ("POST", "lines", {"lines": [{"sku": sku} for sku in heavy[start : start + LINES_A_REQUEST]]})
            for start in range(0, len(heavy), LINES_A_REQUEST)
        ]
        bodies += [("PUT", "selection", {"selected": number % 2 == 1, "all": True}) for number in range(TOGGLES)]
        for method, name, body in bodies:
            if now() > until:
                return
            try:
                wire.request(self.system.listen, method, f"/v1/cart/{name}?view=summary", body, 5, CART_USER=user)
            except wire.Cut:
                pass
            time.sleep(TOGGLE_PAUSE if name == "selection" else 0)

    # --- another Redis ------------------------------------------------------------------------------------------------

    def do_stray(self):
        """Every command is run with the address of an empty Redis that is not the shop's."""
        self.strays += 1
        stray = RedisServer(os.path.join(self.system.folder, f"stray{self.strays}"))
        owner = next((f"{kind}:{name}" for kind, name in self.books.known_owners()), "user:nobody")
        try:
            for command in self.random.sample(COMMANDS, len(COMMANDS)):
                words = [owner if word == "OWNER" else word for word in command]
                self.system.run_cartctl(*words, CART_REDIS=f"unix:{stray.socket}")
                self.rest(0)
        finally:
            end(stray.process)

    # --- what can't be read -------------------------------------------------------------------------------------------

    def stranger(self):
        """A cart that nobody counts, which both stores have: its user, or None where it can't be had now."""
        self.strangers += 1
        user = f"stranger{self.strangers}"
        self.system.unreadable.add(("user", user))
        for name, body in (("lines", {"sku": self.heavy[0]}), ("sync", {})):
            try:
                answer = wire.request(self.system.listen, "POST", f"/v1/cart/{name}", body, CART_USER=user)
            except wire.Cut:
                return None
            if answer.status != 200:
                return None
        return user

    def suffer(self, user, mend):
        """What is wrong with a cart stays for a while, or until the end: some are mended."""
        self.rest(self.random.uniform(1, 3))
        if self.random.random() < 0.5:
            return
        mend()

        def is_served():
            try:
                answer = wire.request(self.system.listen, "GET", "/v1/cart", CART_USER=user)
            except wire.Cut:
                return False
            return answer.status == 200 and [line["sku"] for line in answer.json["lines"]] == [self.heavy[0]]

        self.demand(is_served, 20, f"{user}'s cart, which was mended")
        # From here on it is looked at in the end as every cart is.
        self.system.unreadable.discard(("user", user))
        self.books.add_cart("user", user, 0)

    def do_unreadable_row(self):
        """Redis's copy of a cart is of another history, and the row that it must be compared with can't be read."""
        if not (user := self.stranger()):
            return False
        change, where = "UPDATE cart.carts SET lines =", f"WHERE owner_kind = 'user' AND owner_id = '{user}'"
        lines = self.ask(f"SELECT lines FROM carts {where}")[0]["lines"]
        self.do_in_postgres(f"{change} '[]' {where}")
        with wire.Redis(self.system.redis.socket) as redis:
            redis("HSET", f"cart:user:{user}", "#l", "1")
            redis("ZADD", "cart:dirty", int(time.time() * 1000), f"cart:user:{user}")
        self.suffer(user, lambda: self.do_in_postgres(f"{change} '{json.dumps(lines)}' {where}"))
        return True

    def do_unreadable_hash(self):
        """A cart in Redis can't be read, and a command waits for it, whose sender has died."""
        if not (user := self.stranger()):
            return False
        self.do_in_postgres(
            "WITH numbered AS (UPDATE cart.carts SET inbox_number = inbox_number + 1"
            f" WHERE owner_kind = 'user' AND owner_id = '{user}' RETURNING inbox_number)"
            " INSERT INTO cart.cart_inbox (owner_kind, owner_id, number, previous, action, payload, created_at)"
            f""" SELECT 'user', '{user}', inbox_number, inbox_number - 1, 'order', '{{"lines":[]}}', now() - interval '1 min'"""
            " FROM numbered"
        )
        with wire.Redis(self.system.redis.socket) as redis:
            redis("HSET", f"cart:user:{user}", f"={self.heavy[0]}", "not a line", "#l", "1")
            redis("ZADD", "cart:dirty", int(time.time() * 1000), f"cart:user:{user}")

        def mend():
            with wire.Redis(self.system.redis.socket) as redis:
                redis("DEL", f"cart:user:{user}")

        self.suffer(user, mend)
        return True

    def do_in_postgres(self, sql):
        self.insist(lambda: self.system.postgres.psql(sql))

    # --- locks --------------------------------------------------------------------------------------------------------

    def hold(self, sql, seconds):
        """A transaction in PostgreSQL that somebody leaves open for so long; None where PostgreSQL ends it first."""
        try:
            with wire.Postgres(self.system.postgres.folder, ROLE, ROLE, 10) as session:
                session(f"SET lock_timeout = '2s'; BEGIN; {sql}")
                self.rest(seconds)
                session("ROLLBACK")
                return True
        except (OSError, wire.PostgresError):
            return None

    def do_reader(self):
        """Somebody reads every table for long, while that of a month to come must be made."""
        postgres = self.system.postgres
        try:
            for name in postgres.months_to_come()[-1:]:
                postgres.psql(f"SET lock_timeout = '2s'; DROP TABLE cart.{name}")
            tables = ", ".join(f"cart.{name}" for name in postgres.tables())
        except RuntimeError:
            # A step has stopped it.
            return False
        self.system.make_tasks_due()
        return self.hold(f"LOCK TABLE {tables} IN ACCESS SHARE MODE", self.random.uniform(2, 4)) is not None

    def do_locked_product(self):
        """Somebody's transaction holds products that everybody wants."""
        try:
            tables = {*self.system.postgres.tables("sku", "stock"), "products"}
        except RuntimeError:
            return False
        rows = [f"SELECT FROM cart.{name} WHERE sku LIKE 'scarce%' FOR UPDATE" for name in sorted(tables)]
        return self.hold("; ".join(rows), self.random.uniform(1, 3)) is not None

    # --- a demoted Redis ----------------------------------------------------------------------------------------------

    def do_demotion(self):
        """Redis follows another, which can't be reached, and is a primary again."""
        self.disturb()
        with wire.Redis(self.system.redis.socket) as redis:
            redis("REPLICAOF", "127.0.0.1", "1")
        self.rest(self.random.uniform(0.3, 3))
        with wire.Redis(self.system.redis.socket) as redis:
            redis("REPLICAOF", "NO", "ONE")
        self.disturb()
