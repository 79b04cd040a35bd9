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

    A cart remembers the keys of 16 changes. A retry must not come after that, so no change begins while another one
    began so many changes before it and has not ended.
    """

    REMEMBERED = 14

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


class Books:
    """All of it, for all shoppers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.entries = {}
        self.carts = []
        self.losses = []
        # When PostgreSQL was put back to an older state.
        self.set_back = []
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
