"""Redis runs out of memory, for real: `maxmemory` is set a little above what it uses, and filled."""

import time

from harness import wire
from harness.processes import end, wait_until
from harness.system import demand

ROOM = 6 << 20
LINES = 10
# A little below what a line may carry.
DATA = {"note": "n" * 900}
MOST_CARTS = 4000


class Memory:
    """What was acknowledged while memory ran short."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.redis = wire.Redis(fleet.redis.socket)
        self.skus = fleet.skus(LINES)
        # User → SKU → quantity.
        self.carts = {}

    def used(self):
        return int(self.redis("INFO", "memory").partition("used_memory:")[2].split("\r\n")[0])

    def limit(self, size):
        self.redis("CONFIG", "SET", "maxmemory", size)
        self.size = size

    def add(self):
        """One more cart; None, or the answer by which it was refused."""
        user = self.fleet.user()
        body = {"lines": [{"sku": sku, "quantity": 2, "extraData": DATA} for sku in self.skus]}
        answer = self.fleet.first.ask("POST", "/v1/cart/lines", body, user=user)
        if answer.status == 200:
            self.carts[user] = dict.fromkeys(self.skus, 2)
            return None
        code = answer.json["code"]
        demand((answer.status, code) == (503, "store_unavailable"), f"an add was told {answer.status} {code}")
        demand("retry-after" in answer.headers, "a refusal without Retry-After")
        self.carts[user] = {}
        return answer

    def fill_until_told(self):
        """Adds until workers are told that memory is short, well below the limit. The part of it that is used then."""
        while not self.redis("EXISTS", "cart:pressure"):
            if self.used() < self.size * 0.92:
                self.add()
            else:
                time.sleep(0.01)
        return self.used() / self.size

    def restart(self):
        """Redis is started anew, as full as it was: every cart is of another history then."""
        self.redis.close()
        end(self.fleet.redis.process)
        self.fleet.redis.start()
        self.fleet.tell_victims()
        self.redis = wire.Redis(self.fleet.redis.socket)
        self.limit(min(self.size, self.used()))

    def fill(self):
        """Adds until an add is refused. How many there were."""
        for count in range(MOST_CARTS):
            if self.add():
                return count
        raise TimeoutError(f"Redis takes {MOST_CARTS} carts and is not full")

    def shrink(self):
        """All that makes a cart smaller or no larger works; and an order."""
        fleet, (one, two, three, *_) = self.fleet, self.skus
        for user in [user for user, lines in self.carts.items() if len(lines) == LINES][:3]:
            worker, lines = fleet.second, self.carts[user]
            worker.must("PATCH", f"/v1/cart/lines/{one}", {"quantity": 1}, user=user, key="lower")
            worker.must("PATCH", f"/v1/cart/lines/{two}", {"selected": False}, user=user)
            worker.must("PUT", "/v1/cart/selection", {"selected": False, "all": True}, user=user)
            worker.must("PUT", "/v1/cart/selection", {"selected": True, "skus": [one]}, user=user)
            worker.must("DELETE", f"/v1/cart/lines/{three}", user=user)
            lines[one] = 1
            del lines[three]
            demand(worker.lines(user=user) == lines, f"after a cart has shrunk: {worker.lines(user=user)}")
            worker.must("POST", "/v1/orders", {"expectedTotal": fleet.PRICE}, user=user, key="o")
            del lines[one]
            demand(worker.lines(user=user) == lines, f"after an order: {worker.lines(user=user)}")

    def check(self):
        """Nothing that was acknowledged is lost, nothing that was refused is there."""
        for user, lines in self.carts.items():
            found = self.fleet.first.lines(user=user)
            demand(found == lines, f"{user}: {found}, not {lines}")


def memory(fleet):
    """At the limit, and at 85 % of it where a syncer looks: adds are refused, everything else goes on."""
    memory = Memory(fleet)
    try:
        # Nobody looks: Redis itself refuses.
        memory.limit(memory.used() + ROOM)
        count = memory.fill()
        demand(memory.used() > memory.size * 0.98, f"refused at {memory.used()} of {memory.size} bytes")
        memory.shrink()
        count += memory.fill()
        memory.restart()
        memory.shrink()
        count += memory.fill()
        # Changes find their way to PostgreSQL all the same, which makes room.
        fleet.rest()
        memory.check()

        # A syncer looks.
        fleet.start_syncer()
        memory.limit(memory.used() + ROOM)
        wait_until(lambda: not memory.redis("EXISTS", "cart:pressure"), 20, "the word that there is memory again")
        part = memory.fill_until_told()
        demand(0.8 < part < 0.97, f"told at {part:.0%}")
        demand(memory.add(), "an add was not refused although memory is short")
        memory.shrink()
        memory.limit(0)
        wait_until(lambda: memory.add() is None, 20, "adds to be taken again")
        fleet.stop_syncer()
        memory.check()
    finally:
        memory.limit(0)
        memory.redis.close()
    return f"{count} carts until it was full, refused at {part:.0%} where a syncer looked"


SCHEDULES = {"memory": memory}
