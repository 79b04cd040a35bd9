"""One schedule for each rule of the protocol of carts and orders."""

import time

from harness import wire
from harness.processes import end, wait_until
from harness.system import demand


def ordered(skus, total):
    return "POST", "/v1/orders", {"skus": list(skus), "expectedTotal": total}


def lineage(fleet):
    """A Redis that was put back to an older state does not serve it."""
    user, (first, second) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    fleet.first.kept(user=user)
    fleet.redis.save()
    fleet.first.add(second, user=user)
    fleet.first.kept(user=user)
    fleet.redis.kill()
    fleet.redis.go_back()
    fleet.tell_victims()
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1, second: 1}, f"an older cart is served: {lines}")


def versions(fleet):
    """A version that was answered and then lost is never another state's: a change under its tag is refused."""
    user, (first, second) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    fleet.first.kept(user=user)
    fleet.redis.save()
    lost = fleet.first.add(second, user=user).json["version"]
    fleet.redis.kill()
    fleet.redis.go_back()
    fleet.tell_victims()
    fleet.second.add(second, user=user)
    answer = fleet.first.ask("DELETE", f"/v1/cart/lines/{first}", user=user, condition=f'"{lost}"')
    demand(answer.status == 412, f"a change of a state that is lost: {answer.status}")
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1, second: 1}, f"{lines}")


def fence(fleet):
    """A copy made before a cart was brought back does not get into PostgreSQL after that."""
    user, (first, second) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    fleet.first.kept(user=user)
    fleet.first.add(second, user=user)
    late = fleet.hold("postgres", "sync.persist", "before", lambda: fleet.second.kept(user=user))
    fleet.flush()
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1}, f"lost with Redis, and there: {lines}")
    fleet.release("postgres", "sync.persist", "before")
    late.result()
    fleet.flush()
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1}, f"what was shown as lost has come back: {lines}")


def version_guard(fleet):
    """An older copy does not replace a newer one."""
    user, (first, second) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    late = fleet.hold("postgres", "sync.persist", "before", lambda: fleet.second.kept(user=user))
    fleet.first.add(second, user=user)
    fleet.first.kept(user=user)
    fleet.release("postgres", "sync.persist", "before")
    late.result()
    fleet.flush()
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1, second: 1}, f"an older copy has replaced a newer one: {lines}")


def _die_ordering(fleet, sku, **identity):
    """The second worker orders, and is killed between the commit and the cart's clean-up."""
    fleet.strike("redis", "order.apply", "before", "kill")
    try:
        fleet.second.ask(*ordered([sku], fleet.PRICE), **identity)
        demand(False, "the worker was not killed")
    except wire.Cut:
        fleet.second.await_death()


def inbox_delivery(fleet):
    """Who dies between the commit of an order and its cart's clean-up leaves nothing that is ordered again."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    fleet.first.add(sku, user=user)
    _die_ordering(fleet, sku, user=user, key="one")
    answer = fleet.first.ask(*ordered([sku], fleet.PRICE), user=user, key="two")
    orders = fleet.orders(user)
    demand(orders == [{sku: 1}], f"{answer.status}, and ordered: {orders}")
    demand(answer.json["code"] == "line_not_found", f"{answer.json}")
    answer = fleet.second.must(*ordered([sku], fleet.PRICE), user=user, key="one")
    demand(answer.status == 200 and answer.is_replayed, f"not a replay: {answer.status}")
    demand(fleet.first.lines(user=user) == {}, "what was ordered is still in the cart")


def inbox_number(fleet):
    """What a cart has followed it does not follow again after Redis lost it."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    fleet.first.add(sku, user=user)
    order = fleet.hold(
        "redis", "order.apply", "before", lambda: fleet.second.must(*ordered([sku], fleet.PRICE), user=user, key="k")
    )
    fleet.first.must("PATCH", f"/v1/cart/lines/{sku}", {"quantity": 3}, user=user)
    fleet.release("redis", "order.apply", "before")
    order.result()
    lines = fleet.first.lines(user=user)
    demand(lines == {sku: 2}, f"not exactly what was ordered has left the cart: {lines}")
    fleet.first.kept(user=user)
    fleet.flush()
    lines = fleet.first.lines(user=user)
    demand(lines == {sku: 2}, f"an order was taken out of the cart twice: {lines}")
    fleet.second.must(*ordered([sku], 2 * fleet.PRICE), user=user, key="l")
    demand(fleet.first.lines(user=user) == {}, "what was ordered is still in the cart")


def _merged_meanwhile(fleet, rival):
    """Two devices merge one guest: the second does so while the first is held, having read and frozen his cart."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    rival = rival or user
    guest = fleet.first.add(sku).headers["guest-cart-id"]
    late = fleet.hold(
        "postgres", "inbox.read", "before", lambda: fleet.second.ask("POST", "/v1/cart/merge", {}, user=user, guest=guest)
    )
    fleet.first.ask("POST", "/v1/cart/merge", {}, user=rival, guest=guest)
    fleet.release("postgres", "inbox.read", "before")
    answer = late.result()
    demand(answer.status in (200, 409), f"a merge: {answer.status}")
    fleet.first.ask("GET", "/v1/cart", user=user, guest=guest)
    quantities = [fleet.first.lines(user=name).get(sku, 0) for name in {user, rival}]
    demand(sum(quantities) == 1, f"one guest's cart, merged: {quantities}")
    demand(fleet.first.lines(guest=guest) == {}, "a guest's cart is there after it was merged")


def merge_key(fleet):
    """A guest's cart merges once, from however many devices at once."""
    _merged_meanwhile(fleet, None)


def merge_rival(fleet):
    """And into one user."""
    _merged_meanwhile(fleet, fleet.user())


def merge_overtaken(fleet):
    """A merge whose beginner has died is ended, also where a copy of before it is persisted after it was begun."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    guest = fleet.first.add(sku).headers["guest-cart-id"]
    fleet.strike("postgres", "sync.commit", "before", "hold")
    fleet.start_syncer()
    other = None
    try:
        wait_until(lambda: fleet.proxy("postgres").order("held"), 20, "the guest's cart to be read")
        fleet.strike("postgres", "merge.record", "before", "kill")
        try:
            fleet.second.ask("POST", "/v1/cart/merge", {}, user=user, guest=guest)
            demand(False, "the worker was not killed")
        except wire.Cut:
            fleet.second.await_death()
        other = fleet.other_syncer()
        name = guest.partition(".")[0]
        begun = f"SELECT count(*) FROM cart.carts WHERE owner_id = '{name}' AND state = 1"
        wait_until(lambda: fleet.postgres.psql(begun).strip() == "1", 20, "the other to persist what was begun")
        fleet.release("postgres", "sync.commit", "before")
        merged = f"SELECT count(*) FROM cart.cart_merges WHERE guest_id = '{name}'"
        try:
            wait_until(lambda: fleet.postgres.psql(merged).strip() == "1", 30, "the merge")
        except TimeoutError:
            demand(False, "nobody ends a merge that was begun")
    finally:
        fleet.spare()
        fleet.stop_syncer()
        if other:
            end(other)
    demand(fleet.first.lines(user=user) == {sku: 1}, "the guest's line is not in the user's cart")


def _put_back(fleet):
    """PostgreSQL is put back to what was saved, and a syncer finds that out."""
    with wire.Redis(fleet.redis.socket) as redis:
        before = redis("GET", "cart:database")
        fleet.postgres.stop()
        fleet.postgres.go_back()
        fleet.tell_victims()
        fleet.start_syncer()
        wait_until(lambda: redis("GET", "cart:database").split("|")[0] != before.split("|")[0], 20, "a new tag")
        fleet.stop_syncer()


def merge_setback(fleet):
    """A PostgreSQL that was put back to a state before a merge does not let it happen again."""
    user, (sku, other) = fleet.user(), fleet.skus(2)
    guest = fleet.first.add(sku).headers["guest-cart-id"]
    fleet.first.add(other, guest=guest)
    fleet.first.kept(guest=guest)
    # A command that the guest's cart has not followed when all this is saved.
    _die_ordering(fleet, other, guest=guest, key="k")
    _save(fleet)
    fleet.first.must("POST", "/v1/cart/merge", {}, user=user, guest=guest)
    fleet.rest()
    _put_back(fleet)
    fleet.rest()
    for _ in range(2):
        fleet.second.ask("POST", "/v1/cart/merge", {}, user=user, guest=guest)
        lines = fleet.first.lines(user=user)
        demand(lines == {sku: 1}, f"merged again: {lines}")
        demand(fleet.first.lines(guest=guest) == {}, "a guest's cart is there after it was merged")
        fleet.flush()


def birth(fleet):
    """A line that was removed and added anew while it was ordered is another one, and stays."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    fleet.first.add(sku, user=user)
    order = fleet.hold(
        "redis", "order.apply", "before", lambda: fleet.second.must(*ordered([sku], fleet.PRICE), user=user, key="k")
    )
    fleet.first.must("DELETE", f"/v1/cart/lines/{sku}", user=user)
    fleet.first.add(sku, user=user)
    fleet.release("redis", "order.apply", "before")
    order.result()
    lines = fleet.first.lines(user=user)
    demand(lines == {sku: 1}, f"an order has taken a line that it was not made of: {lines}")


def _unanswered_add(fleet, worker, sku, **identity):
    """Adds without being told."""
    fleet.strike("redis", "change.add", "after", "cut")
    answer = worker.ask("POST", "/v1/cart/lines", {"sku": sku}, **identity)
    demand(answer.status >= 500, f"an add whose answer was lost: {answer.status}")


def retry_first(fleet):
    """The retry of a change that took effect is told so, whatever has become of the cart and the product since."""
    for condition in ('"1"', None):
        user, (first, sku) = fleet.user(), fleet.skus(2)
        fleet.first.add(first, user=user)
        identity = {"user": user, "key": "k", "condition": condition}
        _unanswered_add(fleet, fleet.first, sku, **identity)
        # Whoever wants more than there is of it is refused now.
        fleet.offer({sku: 0})
        answer = fleet.second.ask("POST", "/v1/cart/lines", {"sku": sku}, **identity)
        demand(answer.status == 200 and answer.is_replayed, f"the retry was told {answer.status} {answer.json}")
        lines = fleet.first.lines(user=user)
        demand(lines == {first: 1, sku: 1}, f"{lines}")


def retry_ordered(fleet):
    """The keys of a cart's changes are kept with its order: a retry finds what it did although Redis was lost."""
    user, (first, sku) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    fleet.first.kept(user=user)
    _unanswered_add(fleet, fleet.first, sku, user=user, key="k")
    fleet.second.must(*ordered([sku], fleet.PRICE), user=user, key="o")
    fleet.flush()
    answer = fleet.first.must("POST", "/v1/cart/lines", {"sku": sku}, user=user, key="k")
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1}, f"what was ordered was added again: {lines}")
    demand(answer.is_replayed, "the retry was not told so")


def order_key(fleet):
    """One order for a key: at once, and later."""
    user, (sku,) = fleet.user(), fleet.skus(1)
    fleet.first.add(sku, user=user)
    wish = ordered([sku], fleet.PRICE)
    one = fleet.hold("postgres", "order.commit", "before", lambda: fleet.second.must(*wish, user=user, key="k"))
    answer = fleet.first.ask(*wish, user=user, key="k")
    demand(answer.status == 409 and answer.json["code"] == "request_in_progress", f"at once: {answer.json}")
    fleet.release("postgres", "order.commit", "before")
    first = one.result()
    fleet.first.add(sku, user=user)
    again = fleet.first.must(*wish, user=user, key="k")
    demand(fleet.orders(user) == [{sku: 1}], f"one key: {fleet.orders(user)}")
    demand(again.json == first.json, f"one key, two answers: {first.json} {again.json}")
    demand(fleet.first.lines(user=user) == {sku: 1}, "a replay has touched the cart")


def order_persists(fleet):
    """An order keeps the cart that it was made of: Redis may be lost the moment after."""
    user, (first, sku) = fleet.user(), fleet.skus(2)
    fleet.first.add(first, user=user)
    fleet.first.add(sku, user=user)
    fleet.first.kept(user=user)
    # PostgreSQL has the line that was there before the one that is ordered.
    fleet.first.must("DELETE", f"/v1/cart/lines/{sku}", user=user)
    fleet.first.add(sku, user=user)
    fleet.second.must(*ordered([sku], fleet.PRICE), user=user, key="o")
    fleet.flush()
    lines = fleet.first.lines(user=user)
    demand(lines == {first: 1}, f"what was ordered is in the cart: {lines}")
    fleet.first.add(sku, user=user)
    demand(fleet.first.lines(user=user) == {first: 1, sku: 1}, "added after an order")


def _save(fleet):
    fleet.postgres.stop()
    fleet.postgres.save()
    fleet.postgres.start()
    fleet.tell_victims()


def eviction(fleet):
    """A cart leaves Redis only if this database has it: not one that was put back to a state before it."""
    postgres, days = fleet.postgres, 91 * 86_400_000
    _save(fleet)
    user, (sku,) = fleet.user(), fleet.skus(1)
    fleet.first.add(sku, user=user)
    fleet.first.kept(user=user)
    fleet.rest()
    with wire.Redis(fleet.redis.socket) as redis:
        key = f"cart:user:{user}"
        before = redis("GET", "cart:database")
        redis("ZADD", "cart:active", int(time.time() * 1000) - days, key)
        # It has been done a moment ago, and would be due tomorrow.
        redis("HDEL", "cart:tasks", "idle")
        postgres.stop()
        postgres.go_back()
        fleet.tell_victims()

        def seen():
            return fleet.redis_proxy.order("counts").get(("sync.evict", "after", "seen"), 0)

        looked = seen()
        fleet.start_syncer()
        try:
            wait_until(lambda: redis("GET", "cart:database") != before and seen() > looked, 20, "a look at idle carts")
        finally:
            fleet.stop_syncer()
    lines = fleet.first.lines(user=user)
    demand(lines == {sku: 1}, f"a cart that only Redis had is gone: {lines}")


SCHEDULES = {
    "lineage": lineage,
    "versions": versions,
    "fence": fence,
    "version-guard": version_guard,
    "inbox-delivery": inbox_delivery,
    "inbox-number": inbox_number,
    "merge-key": merge_key,
    "merge-rival": merge_rival,
    "merge-overtaken": merge_overtaken,
    "merge-setback": merge_setback,
    "birth": birth,
    "retry-first": retry_first,
    "retry-ordered": retry_ordered,
    "order-key": order_key,
    "order-persists": order_persists,
    "eviction": eviction,
}
