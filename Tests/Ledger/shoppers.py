"""The shoppers: each adds SKUs that nobody else adds, and keeps the books."""

import collections
import random
import threading
import time
import urllib.parse

from books import Sighting, now
from buyers import Buying
from harness import wire

SHARED_LINES = 90
OWN_LINES = 40
# Not a version that a cart gets to.
OTHER_VERSION = '"999999999999"'


def store_name(kind, name):
    """The owner as the stores name him: a guest's id without its MAC."""
    return kind, name.partition(".")[0] if kind == "guest" else name


class Products:
    """SKUs that were imported, each given out once; and some that everybody may have as long as there are any."""

    # Of every third, so that orders move a stock; more than anybody can order.
    STOCK = 1000
    SCARCE_STOCK = 40
    MOST_LINES = 2000

    def __init__(self, count):
        self.count = count
        self.scarce = [f"scarce{i}" for i in range(4)]
        # For a cart that has as many lines as it may.
        self.heavy = [f"heavy{i}" for i in range(self.MOST_LINES)]
        self.next = 0
        self.lock = threading.Lock()

    def lines(self):
        for sku, stock in self.stocks.items():
            yield f'{{"sku":"{sku}","name":"{sku}","unitPrice":{100 + len(sku)},"currency":"GBP","stock":{stock}}}'
        for sku in self.heavy:
            yield f'{{"sku":"{sku}","name":"{sku}","unitPrice":100,"currency":"GBP"}}'
        for i in range(self.count):
            if i % 3:
                yield f'{{"sku":"s{i}","name":"Product {i}","unitPrice":{100 + i % 50},"currency":"GBP"}}'

    @property
    def stocks(self):
        """SKU → pieces in the beginning, where they are counted."""
        counted = {f"s{i}": self.STOCK for i in range(0, self.count, 3)}
        return counted | dict.fromkeys(self.scarce, self.SCARCE_STOCK)

    def take(self):
        with self.lock:
            self.next += 1
            if self.next > self.count:
                raise RuntimeError("more products are needed")
            return f"s{self.next - 1}"


class Market:
    """The carts that several shoppers use at once; a full one makes room for the next."""

    def __init__(self, books, count):
        self.books = books
        self.lock = threading.Lock()
        # No user's cart is begun, for that asks PostgreSQL.
        self.takes_guests_only = False
        # Nobody asks for anything that only PostgreSQL can tell or do.
        self.takes_orders = True
        # Orders of shared carts, which others may send as well.
        self.wishes = collections.deque(maxlen=12)
        self.places = [self._make(i, 0) for i in range(count)]

    def _make(self, place, generation):
        kind = "guest" if place % 2 or self.takes_guests_only else "user"
        return self.books.add_cart(kind, f"shared{place}-{generation}", SHARED_LINES), generation

    def pick(self, randomness):
        with self.lock:
            place = randomness.randrange(len(self.places))
            cart, generation = self.places[place]
            if cart.is_full:
                self.places[place] = self._make(place, generation + 1)
                cart = self.places[place][0]
            return cart


class Shopper(Buying, threading.Thread):
    ATTEMPTS = 8

    def __init__(self, number, seed, listen, books, market, products):
        super().__init__(daemon=True)
        self.number = number
        self.random = random.Random(f"{seed} shopper {number}")
        self.listen = listen
        self.books = books
        self.market = market
        self.products = products
        self.own = None
        self.generation = 0
        self.seen = {}
        # SKU → entry of lines in the own cart whose outcome is known.
        self.lines = {}
        self.last = None
        self.wishes = 0
        self.scarce = 0
        self.stopping = threading.Event()
        self.failure = None
        self.pause = 0.0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
                if self.pause:
                    time.sleep(self.pause)
        except Exception as error:  # the run must not end well without this shopper
            self.failure = error

    def step(self):
        if self.own is None or self.own.is_full:
            self.generation += 1
            kind = "guest" if self.market.takes_guests_only or self.random.random() < 0.5 else "user"
            self.own = self.books.add_cart(kind, f"own{self.number}-{self.generation}", OWN_LINES)
            self.lines = {}
        choice = self.random.random()
        cart = self.own if self.random.random() < 0.5 else self.market.pick(self.random)
        if self.market.takes_orders and self.random.random() < 0.2:
            self.buy(cart)
        elif choice < 0.72:
            self.add(cart)
        elif choice < 0.82:
            self.add_in_vain(cart)
        elif choice < 0.92 and self.lines:
            self.alter()
        else:
            self.look(cart)

    def buy(self, cart):
        choice = self.random.random()
        if choice < 0.4:
            self.order(cart)
        elif choice < 0.55:
            self.order_again()
        elif choice < 0.7:
            self.cancel()
        elif choice < 0.9:
            self.add_scarce(cart)
        else:
            self.log_in(cart)

    # --- requests -----------------------------------------------------------------------------------------------------

    def identity(self, cart):
        if cart.kind == "user":
            return {"CART_USER": cart.name}
        identity = {"HTTP_GUEST_CART_ID": cart.name} if cart.owners else {}
        return identity | ({"CART_USER": cart.user} if cart.user else {})

    def send(self, cart, method, uri, body=None, name=None, **params):
        """One attempt. The answer, or None where the outcome is unknown."""
        sent, identity = now(), self.identity(cart)
        if name:
            params["REQUEST_ID"] = name
        try:
            answer = wire.request(self.listen, method, uri, body, **identity, **params)
        except wire.Cut:
            self.books.count("cut")
            return None
        self.books.count(answer.status)
        if answer.is_replayed:
            self.books.replays += 1
        if answer.status == 200:
            self.note(cart, identity, answer, sent)
        return answer if answer.status < 500 else None

    def note(self, cart, identity, answer, sent):
        issued = answer.headers.get("guest-cart-id")
        if cart.kind == "guest" and issued:
            with cart.turn:
                cart.name = issued
                cart.owners.add(store_name(cart.kind, issued))
                cart.identities.add(issued)
        if answer.headers.get("cart-source") == "database":
            return
        user = identity.get("CART_USER")
        owner = ("user", user) if user else store_name("guest", issued or identity.get("HTTP_GUEST_CART_ID", ""))
        version = answer.json["version"]
        before = self.seen.get(owner)
        self.seen[owner] = Sighting(version, sent, now())
        if before and version < before.version:
            self.books.fallen.append((owner, before, self.seen[owner]))

    def change(self, cart, method, uri, body, name, **params):
        """Sends a change until its outcome is known: (the answer or None, sent, answered)."""
        number = cart.begin()
        sent = now()
        try:
            is_first_of_guest = cart.kind == "guest" and not cart.owners
            for attempt in range(self.ATTEMPTS):
                answer = self.send(cart, method, uri, body, f"{name}.{attempt}", **params)
                if answer is not None:
                    return answer, sent, now()
                # A guest who was never told his id would be another one at the next attempt.
                if is_first_of_guest or self.stopping.wait(0.02 * 2**attempt * self.random.random()):
                    break
                self.books.retries += 1
            return None, sent, now()
        finally:
            cart.end(number)

    # --- what a shopper does ------------------------------------------------------------------------------------------

    def key(self, name):
        return {"HTTP_IDEMPOTENCY_KEY": f"key {name}"}

    def add(self, cart, key=None, **params):
        if not cart.admits():
            return
        sku = self.products.take()
        entry = self.books.enter(sku, cart)
        params |= key or self.key(sku)
        answer, sent, answered = self.change(cart, "POST", "/v1/cart/lines", {"sku": sku}, sku, **params)
        cart.is_founded_now = False
        if answer is None:
            entry.note(1, sent, None)
        elif answer.status == 200:
            entry.note(1, sent, answered)
            if cart is self.own:
                self.lines[sku] = entry
                self.last = sku, cart
        else:
            entry.was_refused = True

    def add_in_vain(self, cart):
        """Adds that are refused: a condition that does not hold, a key of another request, a SKU that there is not."""
        if cart.kind == "guest" and not cart.owners:
            return
        # Whether there is a product that a worker has never met, only PostgreSQL can say.
        kind = 0 if self.market.takes_guests_only else self.random.randrange(3)
        if kind == 0:
            self.add(cart, HTTP_IF_MATCH=OTHER_VERSION)
        elif kind == 1 and self.last and self.last[1] is cart:
            self.add(cart, key=self.key(self.last[0]))
            # Whatever became of it: the key may now be the other SKU's.
            self.last = None
        else:
            sku = self.products.take()
            entry = self.books.enter(sku, cart)
            lines = {"lines": [{"sku": sku}, {"sku": "no such product"}]}
            answer, sent, _ = self.change(cart, "POST", "/v1/cart/lines", lines, sku, **self.key(sku))
            entry.was_refused = answer is not None and answer.status >= 400
            if not entry.was_refused:
                entry.note(1, sent, None if answer is None else now())

    def alter(self):
        """Removes a line of the own cart, or gives it another quantity."""
        sku = self.random.choice(list(self.lines))
        entry = self.lines[sku]
        uri = "/v1/cart/lines/" + urllib.parse.quote(sku, safe="")
        name = f"{sku}~{len(entry.deeds)}"
        quantity = self.random.choice([0, 0, 3, 7])
        if quantity == 0:
            answer, sent, answered = self.change(self.own, "DELETE", uri, None, name, **self.key(name))
        else:
            answer, sent, answered = self.change(
                self.own, "PATCH", uri, {"quantity": quantity}, name, **self.key(name)
            )
        if answer is None:
            entry.note(quantity, sent, None)
        elif answer.status == 200:
            entry.note(quantity, sent, answered)
        elif answer.status == 404:
            # Only where the line was lost: the end will tell.
            entry.note(0, sent, answered)
            self.books.unseen.append((entry, len(entry.deeds) - 1, 0, answered))
        else:
            raise RuntimeError(f"{name}: status {answer.status}: {answer.json}")
        if answer is None or answer.status != 200 or quantity == 0:
            del self.lines[sku]

    def look(self, cart):
        """Reads a cart. In the own one, what it holds must be what was acknowledged, unless Redis has lost it."""
        if cart.kind == "guest" and not cart.owners:
            return
        answer = self.send(cart, "GET", "/v1/cart")
        if answer is None or cart is not self.own or answer.headers.get("cart-source") == "database":
            return
        found = {line["sku"]: line["quantity"] for line in answer.json["lines"]}
        for sku, entry in list(self.lines.items()):
            quantity = found.get(sku, 0)
            if quantity != entry.expected:
                # It may be lost: the end will tell. Nothing more is done to it.
                self.books.unseen.append((entry, len(entry.deeds), quantity, now()))
                del self.lines[sku]
