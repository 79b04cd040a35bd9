"""Something goes wrong at every single step of an order, a cancellation and a merge, before and after it; then the
request is sent again, from the same device and from another."""

import itertools
import time

from harness import wire
from harness.processes import wait_until
from harness.system import demand
from steps import CANCEL_STEPS, MERGE_STEPS, ORDER_STEPS

SIDES = ("before", "after")
SECONDS_TO_DECIDE = 20


def _is_decided(answer):
    if answer.status >= 500 or answer.json.get("code") == "request_in_progress":
        return False
    return not answer.json.get("merge", {}).get("pending")


def _until_decided(ask):
    """Repeats a request as its sender would, as long as its outcome is not known."""
    end, last = time.monotonic() + SECONDS_TO_DECIDE, None
    while True:
        try:
            last = ask()
            if _is_decided(last):
                return last
        except wire.Cut:
            pass
        demand(time.monotonic() < end, f"a request is never decided: {last and (last.status, last.json)}")
        time.sleep(0.02)


def _attempt(fleet, case, ask):
    """The second worker is sent a request to which something happens at a step. Its answer, or None."""
    (store, step), side, action = case
    if action == "hold+flush":
        # Redis is emptied under somebody who goes on.
        future = fleet.hold(store, step, side, ask)
        fleet.flush()
        fleet.release(store, step, side)
        return future.result()
    fleet.strike(store, step, side, action.partition("+")[0])
    counted = (step, side, action.partition("+")[0])
    before = fleet.proxy(store).order("counts").get(counted, 0)
    end = time.monotonic() + SECONDS_TO_DECIDE
    while True:
        try:
            answer = ask()
        except wire.Cut:
            answer = None
        if fleet.proxy(store).order("counts").get(counted, 0) > before:
            break
        # A worker that PostgreSQL has failed leaves it alone for a while.
        demand(answer and not _is_decided(answer) and time.monotonic() < end, "the step was not reached")
        time.sleep(0.05)
    if action in ("kill", "kill+flush"):
        fleet.second.await_death()
    if action == "kill store":
        if store == "redis":
            wait_until(lambda: fleet.redis.process.poll() is not None, 10, "Redis to die")
        else:
            wait_until(lambda: fleet.postgres.process.poll() is not None, 10, "PostgreSQL to die")
        fleet.tend()
    if action.endswith("+flush"):
        fleet.flush()
    return answer


def _cases(steps, actions):
    return itertools.product(steps, SIDES, actions)


def _sweep(fleet, cases, check):
    count = 0
    for case in cases:
        (_, step), side, action = case
        try:
            check(fleet, case, count)
        except Exception as error:
            raise type(error)(f"{action} {side} {step}: {error}") from error
        count += 1
    return f"{count} cases"


# --- orders -----------------------------------------------------------------------------------------------------------


def _order(fleet, case, number):
    user, (sku, other, late) = fleet.user(), fleet.skus(3)
    stock = fleet.stock(sku)
    fleet.first.add(sku, 2, user=user)
    fleet.first.add(other, user=user)
    if case[2].endswith("+flush"):
        fleet.first.kept(user=user)
    body = {"skus": [sku], "expectedTotal": 2 * fleet.PRICE}

    def order(worker):
        return worker.ask("POST", "/v1/orders", body, user=user, key="k")

    told = _attempt(fleet, case, lambda: order(fleet.second))
    _until_decided(lambda: fleet.first.ask("POST", "/v1/cart/lines", {"sku": late}, user=user, key="a"))
    retries = [fleet.first, fleet.second] if number % 2 else [fleet.second, fleet.first]
    answers = [_until_decided(lambda: order(worker)) for worker in retries]
    if told is not None and told.status in (200, 201):
        answers.insert(0, told)
    for answer in answers:
        demand(answer.status in (200, 201), f"{answer.status} {answer.json}")
        demand(answer.json["id"] == answers[0].json["id"], "one key, two orders")
    demand(sum(answer.status == 201 for answer in answers) <= 1, "one key, placed twice")
    versions = {answer.json["cartVersion"] for answer in answers}
    demand(len(versions) == 1, f"several versions of the cart: {versions}")
    demand(fleet.orders(user) == [{sku: 2}], f"ordered: {fleet.orders(user)}")
    lines = fleet.first.lines(user=user)
    demand(lines == {other: 1, late: 1}, f"in the cart after it: {lines}")
    demand(fleet.stock(sku) == stock - 2, f"stock: {stock} before, {fleet.stock(sku)} after")


def order_steps(fleet):
    """One order for one key, the cart without exactly what was ordered, the stock down once."""
    return _sweep(fleet, _cases(ORDER_STEPS, ("kill", "cut", "kill+flush", "hold+flush")), _order)


def order_crashes(fleet):
    """The same where a store itself dies."""
    steps = [entry for entry in ORDER_STEPS if entry[1] in ("order.insert", "order.commit", "order.apply")]
    return _sweep(fleet, _cases(steps, ("kill store",)), _order)


def _cancel(fleet, case, number):
    user, (sku,) = fleet.user(), fleet.skus(1)
    stock = fleet.stock(sku)
    fleet.first.add(sku, 2, user=user)
    body = {"skus": [sku], "expectedTotal": 2 * fleet.PRICE}
    order = fleet.first.must("POST", "/v1/orders", body, user=user, key="k").json
    uri = f"/v1/orders/{order['id']}/cancel"
    _attempt(fleet, case, lambda: fleet.second.ask("POST", uri, user=user))
    retries = [fleet.first, fleet.second] if number % 2 else [fleet.second, fleet.first]
    for worker in retries:
        answer = _until_decided(lambda: worker.ask("POST", uri, user=user))
        demand(answer.json == order | {"status": "cancelled"}, f"{answer.status} {answer.json}")
    demand(fleet.stock(sku) == stock, f"stock: {stock} before, {fleet.stock(sku)} after")


def cancel_steps(fleet):
    """What was cancelled is given back once."""
    return _sweep(fleet, _cases(CANCEL_STEPS, ("kill", "cut")), _cancel)


# --- merges -----------------------------------------------------------------------------------------------------------


def _merge(fleet, case, number):
    user, (guests, shared, own) = fleet.user(), fleet.skus(3)
    guest = fleet.first.add(guests).headers["guest-cart-id"]
    fleet.first.add(shared, 2, guest=guest)
    fleet.first.add(shared, user=user)
    fleet.first.add(own, user=user)
    if case[2].endswith("+flush"):
        fleet.first.kept(user=user)
        fleet.first.kept(guest=guest)
    # By itself, as at a login, or asked for.
    request = ("GET", "/v1/cart") if number // 2 % 2 else ("POST", "/v1/cart/merge", {})
    _attempt(fleet, case, lambda: fleet.second.ask(*request, user=user, guest=guest))
    retries = [fleet.first, fleet.second] if number % 2 else [fleet.second, fleet.first]
    for worker in retries:
        answer = _until_decided(lambda: worker.ask(*request, user=user, guest=guest))
        code = (answer.json or {}).get("code")
        demand(answer.status == 200 or code == "nothing_to_merge", f"{answer.status} {answer.json}")
    lines = fleet.first.lines(user=user)
    demand(lines == {guests: 1, shared: 3, own: 1}, f"after a merge: {lines}")
    # From here on the id is spent.
    demand(fleet.second.lines(guest=guest) == {}, "a guest's cart is there after it was merged")
    name = guest.partition(".")[0]
    merges = fleet.postgres.psql(f"SELECT user_id FROM cart.cart_merges WHERE guest_id = '{name}'").split()
    demand(merges == [user], f"merges: {merges}")


def merge_steps(fleet):
    """A guest's cart merges once, each of its lines once."""
    return _sweep(fleet, _cases(MERGE_STEPS, ("kill", "cut", "kill+flush", "hold+flush")), _merge)


def merge_crashes(fleet):
    """The same where a store itself dies."""
    steps = [entry for entry in MERGE_STEPS if entry[1] in ("merge.freeze", "merge.record", "merge.commit", "merge.tombstone")]
    return _sweep(fleet, _cases(steps, ("kill store",)), _merge)


SCHEDULES = {
    "order-steps": order_steps,
    "order-crashes": order_crashes,
    "cancel-steps": cancel_steps,
    "merge-steps": merge_steps,
    "merge-crashes": merge_crashes,
}
