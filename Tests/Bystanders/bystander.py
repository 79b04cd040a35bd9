"""A shopper who has nothing to do with what goes wrong: what he adds is answered and persisted in time."""

import collections
import concurrent.futures
import contextlib
import math
import threading
import time

from harness import wire
from harness.meanwhile import background
from harness.shop import LINES, quantities

# Seconds, of 99 in 100.
ANSWERED_WITHIN = 0.2
PERSISTED_WITHIN = 1.0
# After what kept PostgreSQL away is over.
GRACE = 1.0
# Between two looks into PostgreSQL.
LOOK = 0.02
SECONDS_TO_SETTLE = 30
KINDS = ("user", "guest", "new user", "new guest")
# With PostgreSQL away: it alone can tell whether a user has a cart.
WITHOUT_DATABASE = ("user", "guest", "new guest")


class Deed:
    """One change and what became of it."""

    def __init__(self, kind, due):
        self.kind = kind
        self.due = due
        self.owner = None
        self.status = None
        self.answered = None
        self.version = 0
        self.persisted = None
        # From when on its way to PostgreSQL counts; None: it does not.
        self.counted_from = None
        self.may_be_lost = False

    def __repr__(self):
        return f"{self.kind} {self.owner}: {self.status} after {self.answered - self.due:.3f} s"


class Window:
    """What was answered in it counts as if it had been answered at its end, for the way to PostgreSQL."""

    def __init__(self, since):
        self.since, self.until = since, math.inf

    def holds(self, moment):
        return self.since <= moment <= self.until


class Bystander:
    """Changes carts that were there before and new ones, in turns, at a steady rate, whatever becomes of them."""

    CARTS = 6
    PRODUCTS = 40

    def __init__(self, shop, name):
        self.shop = shop
        self.name = name
        self.kinds = KINDS
        self.deeds = []
        self.windows = []
        self.lock = threading.Lock()
        self.waiting = collections.defaultdict(list)
        # (owner, version) → what it looked like.
        self.tags = {}
        self.repeated = []
        # (owner kind, id) → what identifies him.
        self.identities = {}
        # (owner kind, id) → SKU → what was added: acknowledged, and sent.
        self.sure = collections.defaultdict(collections.Counter)
        self.sent = collections.defaultdict(collections.Counter)
        self.count = 0
        self.owners = {"user": [], "guest": []}
        for number in range(self.CARTS):
            self.owners["user"].append(self.found(user=f"{name}-{number}"))
            self.owners["guest"].append(self.found())
        for owner in self.owners["user"] + self.owners["guest"]:
            shop.kept(**self.identities[owner])

    def found(self, **identity):
        """Makes a cart that changes are then made to."""
        answer = self.shop.add("p0", 1000, **identity)
        owner = self.known(answer, identity)
        self.sure[owner]["p0"] += 1000
        self.sent[owner]["p0"] += 1000
        return owner

    def known(self, answer, identity):
        if identity.get("user"):
            owner = "user", identity["user"]
        else:
            name = answer.headers.get("guest-cart-id") or identity["guest"]
            owner, identity = ("guest", name.partition(".")[0]), {"guest": name}
        self.identities[owner] = identity
        return owner

    # --- what he does -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def shopping(self, kinds=KINDS, rate=20):
        """He shops meanwhile: so many changes a second, each on its own, however long the last one takes."""
        self.kinds = kinds

        def shop(stopping, _):
            with concurrent.futures.ThreadPoolExecutor(32) as pool:
                due, deeds = time.monotonic(), []
                while not stopping.wait(max(0.0, due - time.monotonic())):
                    deeds.append(pool.submit(self.act, self.kinds[self.count % len(self.kinds)], self.count, due))
                    self.count += 1
                    due += 1 / rate
            for deed in deeds:
                deed.result()

        with background(self.look), background(shop):
            yield
        self.settle()

    def act(self, kind, number, due=None):
        """One change."""
        deed = Deed(kind, due or time.monotonic())
        sku = f"p{number % self.PRODUCTS + 1}"
        identity, method, uri, body = {}, "POST", LINES, {"sku": sku}
        if kind == "new user":
            identity = {"user": f"{self.name}-new-{number}"}
        elif kind != "new guest":
            owners = self.owners[kind.rpartition(" ")[2]]
            deed.owner = owners[number // len(self.kinds) % len(owners)]
            identity = self.identities[deed.owner]
        if kind.startswith("lowering"):
            sku, method, uri, body = "p0", "PATCH", "/v1/cart/lines/p0", {"delta": -1}
        change = -1 if method == "PATCH" else 1
        try:
            answer = self.shop.ask(method, uri, body, **identity)
            deed.status = answer.status
        except wire.Cut as error:
            answer, deed.status = None, f"no answer ({error})"
        deed.answered = time.monotonic()
        with self.lock:
            if answer is not None and answer.status == 200:
                deed.owner = deed.owner or self.known(answer, identity)
                deed.version = answer.json["version"]
                self.sure[deed.owner][sku] += change
                self.waiting[deed.owner].append(deed)
                self.note(deed.owner, deed.version, answer.headers["etag"])
            elif deed.owner is None and identity:
                deed.owner = self.known(answer, identity)
            if deed.owner:
                self.sent[deed.owner][sku] += change
            self.deeds.append(deed)
        return deed

    def note(self, owner, version, tag):
        if self.tags.setdefault((owner, version), tag) != tag:
            self.repeated.append(f"version {version} of {owner}: {self.tags[owner, version]} and {tag}")

    # --- what is not asked of him -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def excused(self, grace=GRACE):
        """What is not in PostgreSQL when this begins, and what is done meanwhile, must be there in time after its end
        and a grace."""
        window = Window(time.monotonic() - PERSISTED_WITHIN)
        self.windows.append(window)
        try:
            yield
        finally:
            window.until = time.monotonic() + grace

    def lose(self):
        """Redis loses what it has now: what was just done need not be there any more."""
        now = time.monotonic()
        with self.lock:
            for deed in self.deeds:
                if deed.status == 200 and deed.answered > now - 1.5 * PERSISTED_WITHIN:
                    deed.may_be_lost = True

    # --- PostgreSQL ---------------------------------------------------------------------------------------------------

    def look(self, stopping, _):
        """Notes when changes have come to PostgreSQL, until all have or it takes too long."""
        session, deadline = None, math.inf
        while True:
            time.sleep(LOOK)
            if stopping.is_set():
                deadline = min(deadline, time.monotonic() + SECONDS_TO_SETTLE)
                if not self.waiting or time.monotonic() > deadline:
                    break
            try:
                session = session or self.shop.session()
                self.look_once(session)
            except (OSError, wire.PostgresError):
                # It is being started.
                session = None

    def look_once(self, session):
        with self.lock:
            owners = list(self.waiting)
        if not owners:
            return
        names = ", ".join(f"('{kind}', '{name}')" for kind, name in owners)
        rows = session(f"SELECT owner_kind, owner_id, version FROM cart.carts WHERE (owner_kind, owner_id) IN ({names})")
        now = time.monotonic()
        with self.lock:
            for kind, name, version in rows:
                left = []
                for deed in self.waiting.pop((kind, name), []):
                    if deed.version <= int(version):
                        deed.persisted = now
                    else:
                        left.append(deed)
                if left:
                    self.waiting[kind, name] = left

    # --- the law ------------------------------------------------------------------------------------------------------

    def settle(self):
        for deed in self.deeds:
            deed.counted_from = deed.answered
            for window in self.windows:
                if window.holds(deed.answered):
                    deed.counted_from = max(deed.counted_from, window.until)

    def answers(self):
        return [deed.answered - deed.due for deed in self.deeds]

    def arrivals(self):
        """Seconds from the answer to PostgreSQL; infinite for what has never come."""
        return [
            math.inf if deed.persisted is None else max(0.0, deed.persisted - deed.counted_from)
            for deed in self.deeds
            if deed.status == 200 and not deed.may_be_lost
        ]

    def failures(self):
        return [deed for deed in self.deeds if deed.status != 200]

    def faults(self):
        """How the law was broken."""
        faults = [f"{len(failed)} changes failed: {failed[:3]}" for failed in [self.failures()] if failed]
        answered, arrived = percentile(self.answers(), 99), percentile(self.arrivals(), 99)
        if answered > ANSWERED_WITHIN:
            faults.append(f"a change in a hundred is answered after {answered:.3f} s")
        if arrived > PERSISTED_WITHIN:
            faults.append(f"a change in a hundred is in PostgreSQL after {arrived:.3f} s")
        faults += [f"a version was given twice: {text}" for text in self.repeated[:3]]
        return faults

    def report(self):
        return (
            f"{len(self.deeds)} changes, {len(self.failures())} failed; answered {shown(self.answers())};"
            f" in PostgreSQL {shown(self.arrivals())}"
        )

    # --- at rest ------------------------------------------------------------------------------------------------------

    def differences(self):
        """Where the cart that he is shown is not what he has made it, or PostgreSQL has another one."""
        lossy, found, carts = collections.Counter(deed.owner for deed in self.deeds if deed.may_be_lost), [], {}
        for owner, identity in self.identities.items():
            if not self.sure[owner]:
                continue
            answer = self.shop.ask("GET", "/v1/cart", **identity)
            if answer.status != 200 or "cart-source" in answer.headers:
                found.append(f"{owner} can't be read: {answer.status} {answer.headers}")
                continue
            lines = quantities(answer.json)
            carts[owner] = answer.json["version"], lines
            self.note(owner, answer.json["version"], answer.headers["etag"])
            for sku in self.sent[owner] | lines:
                low, high = sorted((self.sure[owner][sku], self.sent[owner][sku]))
                if not low - lossy[owner] <= lines.get(sku, 0) <= high:
                    found.append(f"{owner} {sku}: {lines.get(sku, 0)}, not {low} to {high}")
        # A cart that came back just now is persisted anew.
        self.shop.await_rest()
        for (kind, name), (version, lines) in carts.items():
            rows = self.shop.sql(
                "SELECT version, l ->> 'sku', l ->> 'quantity' FROM cart.carts"
                " LEFT JOIN jsonb_array_elements(lines) AS l ON true"
                f" WHERE (owner_kind, owner_id) = ('{kind}', '{name}')"
            )
            there = {sku: int(quantity) for _, sku, quantity in rows if sku}
            if not rows or int(rows[0][0]) != version or there != lines:
                found.append(f"{kind} {name}: {lines} at {version}, in PostgreSQL {rows}")
        return found


def percentile(values, part):
    """The nearest rank; 0 where there are none."""
    return sorted(values)[max(0, math.ceil(part / 100 * len(values)) - 1)] if values else 0.0


def shown(values):
    return "p50 {:.0f} p99 {:.0f} max {:.0f} ms".format(*(1000 * percentile(values, part) for part in (50, 99, 100)))
