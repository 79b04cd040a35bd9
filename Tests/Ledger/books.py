"""What the shoppers know: each SKU is added once, by one of them, to one cart. And what was lost, and when."""

import threading
import time
import typing


class Deed(typing.NamedTuple):
    """What was done to one SKU."""

    # That it has afterwards.
    quantity: int
    sent: float
    # None for an outcome that nobody knows.
    answered: float | None

    def __repr__(self):
        answered = "unknown" if self.answered is None else f"{self.answered:.3f} s"
        return f"{self.quantity} ({self.sent:.3f} s to {answered})"


class Sighting(typing.NamedTuple):
    """A version in an answer."""

    version: int
    sent: float
    answered: float


class Entry:
    """One SKU and what was done to it, in order."""

    def __init__(self, sku, cart):
        self.sku = sku
        self.cart = cart
        self.deeds = []
        self.was_refused = False

    def note(self, quantity, sent, answered):
        self.deeds.append(Deed(quantity, sent, answered))

    def possible(self, losses, count=None):
        """The quantities that may be found after all deeds, or the first `count`: without a loss, and with one."""
        plain, lossy = {0}, set()
        for quantity, sent, answered in self.deeds[:count]:
            if answered is None:
                plain, lossy = plain | {quantity}, lossy | {quantity}
            elif any(loss.covers(self.sku, quantity, sent, answered) for loss in losses):
                # What is still on its way when Redis loses it may come to PostgreSQL after all, and be back later:
                # also after a removal, which found nothing to remove.
                lossy |= plain | {quantity}
                plain = {quantity}
            else:
                plain = {quantity}
        return plain, lossy - plain

    @property
    def expected(self):
        """The quantity if nothing was lost; None where nobody knows."""
        if not self.deeds or any(answered is None for _, _, answered in self.deeds):
            return None
        return self.deeds[-1][0]


class Loss:
    """A moment at which Redis lost what it had: emptied, put back, or replaced by a replica that had missed writes.

    What was done before `since` must have been in PostgreSQL by then; what PostgreSQL had is not lost either.
    """

    def __init__(self, fault, since, unrecorded, began, at, quantities, owners):
        self.fault = fault
        self.since = since
        # Changes that were made later may not have been recorded.
        self.unrecorded = unrecorded
        # It happened between these two.
        self.began = began
        self.at = at
        self.quantities = quantities
        self.owners = owners

    def __str__(self):
        return f"{self.fault} at {self.at:.3f} s of what is later than {self.since:.3f} s"

    def covers(self, sku, quantity, sent, answered):
        """Whether a deed was still on its way to PostgreSQL."""
        return answered >= self.since and sent <= self.at and self.quantities.get(sku, 0) != quantity


class Cart:
    """One cart, and who may change it now.

    A cart remembers the keys of 16 changes, and those of a guest's that merges into it count. A retry must not come
    after that, so no change begins while another one began so many changes before it and has not ended.
    """

    REMEMBERED = 10

    def __init__(self, kind, name, most):
        self.kind = kind
        # Of a user; a guest's is what cartd has issued.
        self.name = name
        self.most = most
        self.started = 0
        self.pending = set()
        self.turn = threading.Condition()
        # Its names in the stores: a guest whose cart was lost gets another. A guest's id is what stands before the MAC.
        self.owners = {("user", name)} if kind == "user" else set()
        # What a shopper shows to be its owner.
        self.identities = {name} if kind == "user" else set()
        # A guest's first request is on its way.
        self.is_founded_now = False
        # Of a guest who has logged in: every request is his, and names the guest as well.
        self.user = None
        self.logged_in_at = 0.0

    def admits(self):
        """Whether one may add to it now: two first requests of a guest would make two guests."""
        with self.turn:
            if self.owners:
                return True
            was_founded, self.is_founded_now = self.is_founded_now, True
            return not was_founded

    def begin(self):
        with self.turn:
            self.turn.wait_for(lambda: all(self.started - number < self.REMEMBERED for number in self.pending))
            self.started += 1
            self.pending.add(self.started)
            return self.started

    def end(self, number):
        with self.turn:
            self.pending.discard(number)
            self.turn.notify_all()

    @property
    def is_full(self):
        return self.started >= self.most


class Setback(typing.NamedTuple):
    """PostgreSQL was put back at `at` to what it was at `copied`: orders and merges made between are lost with it."""

    copied: float
    at: float

    def covers(self, sent, answered):
        return sent <= self.at and (answered is None or answered >= self.copied)


class Wish:
    """An order that somebody wants, by one key: sent once or often, by one or several."""

    def __init__(self, key, cart, body, lines):
        self.key = key
        self.cart = cart
        self.body = body
        # SKU → quantity, as they were seen.
        self.lines = lines
        self.lock = threading.Lock()
        self.sent = now()
        # (order, sent, answered) of each answer with one; and (code, sent, answered) of each refusal.
        self.answers = []
        self.refusals = []
        self.is_unknown = False
        self.is_to_be_cancelled = False
        # (sent, answered or None, answer).
        self.cancellations = []

    def note(self, answer, sent):
        with self.lock:
            if answer is None:
                self.is_unknown = True
            elif answer.status in (200, 201):
                self.answers.append((answer.json | {"is_new": answer.status == 201}, sent, now()))
            else:
                self.refusals.append((answer.json["code"], sent, now()))

    @property
    def order(self):
        """As it was last told."""
        return self.answers[-1][0] if self.answers else None

    def may_be_lost(self, setbacks):
        """Whether PostgreSQL may have forgotten an order of it, or its cancellation."""
        told = [answered for _, _, answered in self.answers]
        told += [answered for _, answered, _ in self.cancellations if answered is not None]
        is_open = self.is_unknown or any(answered is None for _, answered, _ in self.cancellations)
        last = None if is_open or not told else max(told)
        return any(setback.covers(self.sent, last) for setback in setbacks)


class Books:
    """All of it, for all shoppers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {}
        self.carts = []
        self.losses = []
        # When PostgreSQL was put back to an older state.
        self.set_back = []
        self.wishes = []
        # SKU → orders that may have taken it.
        self.wished = {}
        # SKU → how much of it was put into carts at most.
        self.scarce = {}
        self.logins = 0
        self.statuses = {}
        self.retries = 0
        self.replays = 0
        # Versions that were lower than one that the same shopper had seen: (owner, before, after).
        self.fallen = []
        # Own lines that were not as the shopper had left them: (entry, deeds before that, quantity found, when).
        self.unseen = []

    def count(self, status):
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1

    def enter(self, sku, cart):
        entry = Entry(sku, cart)
        with self.lock:
            self.entries[sku] = entry
        return entry

    def wish(self, wish):
        with self.lock:
            self.wishes.append(wish)
            for sku in wish.lines:
                self.wished.setdefault(sku, []).append(wish)

    def take_scarce(self, sku):
        with self.lock:
            self.scarce[sku] = self.scarce.get(sku, 0) + 1

    def add_cart(self, kind, name, most):
        cart = Cart(kind, name, most)
        with self.lock:
            self.carts.append(cart)
        return cart

    def lose(self, loss):
        with self.lock:
            self.losses.append(loss)

    def known_owners(self):
        return {owner for cart in self.carts for owner in cart.owners}


STARTED = time.monotonic()


def now():
    """Seconds since the program has started."""
    return time.monotonic() - STARTED
