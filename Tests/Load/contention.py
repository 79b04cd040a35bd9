#!/usr/bin/env python3
"""Many clients change one user's cart at once, and keep a ledger.

Each client owns some lines that no other touches, and knows their exact state after each of its answers; all of them
move the quantities of a few shared lines, whose sums are known at the end. Some requests carry `If-Match` with a
version that may be stale, some an `Idempotency-Key`, sent twice at the same time. In the end every acknowledged change
is in the cart, no refused one is, and the versions of the acknowledged changes are 1…N without gap or repetition.
Exits 1 if not.
"""

import argparse
import multiprocessing
import random
import sys
import time
import uuid

from harness.shop import LINES, URL, Instance, product, quantities, unique
from harness.web import Client, Unexpected, line_path

SHARED_LINES = 3
# So many that no sum of decrements empties a shared line.
SHARED_START = 500_000
OWN_LINES = 3
PRINTED_FAULTS = 20


class Shopper:
    """One client: sends changes, and keeps the books."""

    def __init__(self, url, user, number, names, seed, keys):
        self.randomness = random.Random(seed)
        self.client = Client(url, user=user, randomness=self.randomness)
        self.merchant = f"client{number}"
        self.own = names["own"][number]
        self.shared = names["shared"]
        # One keyed change at a time among all clients: a cart remembers 16, and others must not push it out.
        self.keys = keys
        # SKU → [quantity, selected, note] of own lines.
        self.lines = {}
        self.moved = dict.fromkeys(self.shared, 0)
        self.versions = []
        self.seen = 1
        self.counts = {"changed": 0, "unchanged": 0, "stale": 0, "missing": 0, "replayed": 0}
        self.faults = []

    # Each operation answers its request and a function that books its effect: it returns whether anything changes.

    def add(self):
        entries = [(self.randomness.choice(self.own), self.randomness.randint(1, 9))]
        if self.randomness.random() < 0.3:
            entries.append((self.randomness.choice(self.shared), self.randomness.randint(1, 9)))
            entries.append((self.randomness.choice(self.own), 1))
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in entries]
        body = lines[0] if len(lines) == 1 else {"lines": lines}

        def book():
            for sku, quantity in entries:
                if sku in self.moved:
                    self.moved[sku] += quantity
                else:
                    line = self.lines.setdefault(sku, [0, True, None])
                    line[0] += quantity
                    line[1] = True
            return True

        return "POST", LINES, body, book

    def move_shared(self):
        sku = self.randomness.choice(self.shared)
        delta = self.randomness.choice([-3, -2, -1, 1, 2, 3])

        def book():
            self.moved[sku] += delta
            return True

        return "PATCH", line_path(sku), {"delta": delta}, book

    def patch_own(self):
        sku = self.randomness.choice(self.own)
        body = {}
        kind = self.randomness.choice(["quantity", "delta", "selected", "extraData", "both"])
        if kind in ("quantity", "both"):
            body["quantity"] = self.randomness.randint(0, 20)
        if kind == "delta":
            body["delta"] = self.randomness.randint(-5, 9)
        if kind in ("selected", "both"):
            body["selected"] = self.randomness.random() < 0.5
        if kind == "extraData":
            body["extraData"] = {"note": self.randomness.randint(0, 3)}

        def book():
            line = self.lines.get(sku)
            if line is None:
                return None
            before = list(line)
            line[0] = max(0, body.get("quantity", line[0] + body.get("delta", 0)))
            line[1] = body.get("selected", line[1])
            line[2] = body["extraData"]["note"] if "extraData" in body else line[2]
            if line[0] == 0:
                del self.lines[sku]
            return line != before

        return "PATCH", line_path(sku), body, book

    def remove_own(self):
        sku = self.randomness.choice(self.own)

        def book():
            return self.lines.pop(sku, None) is not None

        return "DELETE", line_path(sku), None, book

    def remove_all_own(self):
        def book():
            had_some = bool(self.lines)
            self.lines.clear()
            return had_some

        return "DELETE", f"{LINES}?merchantId={self.merchant}", None, book

    def select_own(self):
        flag = self.randomness.random() < 0.5
        by_merchant = self.randomness.random() < 0.5
        skus = self.own if by_merchant else self.randomness.sample(self.own, 2)
        body = {"selected": flag} | ({"merchantId": self.merchant} if by_merchant else {"skus": skus})

        def book():
            touched = [line for sku, line in self.lines.items() if sku in skus and line[1] != flag]
            for line in touched:
                line[1] = flag
            return bool(touched)

        return "PUT", "/v1/cart/selection", body, book

    def step(self):
        operations = [self.add, self.move_shared, self.patch_own, self.remove_own, self.remove_all_own, self.select_own]
        operation = self.randomness.choices(operations, [30, 25, 25, 8, 2, 10])[0]
        request = operation()
        chance = self.randomness.random()
        if chance < 0.08 and operation in (self.add, self.move_shared):
            self.send_twice(*request)
        elif chance < 0.25:
            condition = "*" if self.randomness.random() < 0.3 else f'"{self.seen}-x"'
            self.settle(self.client.ask(*request[:3], If_Match=condition), request[3], is_conditional=True)
        else:
            self.settle(self.client.ask(*request[:3]), request[3])

    def send_twice(self, method, path, body, book):
        key = uuid.uuid4().hex
        with self.keys:
            started = [
                self.client.start(method, path, body, connection=connection, Idempotency_Key=key)
                for connection in self.client.connections
            ]
            answers = [self.client.finish(connection) for connection in started]
        first = [answer for answer in answers if not answer.is_replayed]
        if len(first) != 1 or any(answer.status != 200 for answer in answers):
            self.faults.append(f"{method} {path} sent twice with a key: {[answer.status for answer in answers]}")
        self.counts["replayed"] += 1
        self.settle(first[0] if first else answers[0], book)

    def settle(self, answer, book, is_conditional=False):
        """Books the effect of an acknowledged change; checks what the answer says of the own lines."""
        cart = answer.json
        if answer.status == 200:
            changed = book()
            if changed is None:
                self.faults.append("200 for a line that is not there")
            elif changed:
                self.counts["changed"] += 1
                self.versions.append(cart["version"])
            else:
                self.counts["unchanged"] += 1
        elif answer.status == 412 and is_conditional:
            self.counts["stale"] += 1
            cart = cart["cart"]
        elif answer.status == 404 and book() is None:
            self.counts["missing"] += 1
            cart = cart["cart"]
        else:
            self.faults.append(f"status {answer.status}: {str(answer.json)[:300]}")
            return
        if cart["version"] < self.seen:
            self.faults.append(f"version {cart['version']} after {self.seen}")
        self.seen = cart["version"]
        self.faults += differences(cart, self.own, self.lines)


def differences(cart, skus, expected):
    """Where a cart's lines of `skus` are not as booked."""
    found = {
        line["sku"]: [line["quantity"], line["selected"], line["extraData"].get("note")]
        for line in cart["lines"]
        if line["sku"] in skus
    }
    return [] if found == expected else [f"lines {found} where the ledger has {expected}"]


def work(shopper, count, results):
    for _ in range(count):
        if len(shopper.faults) > PRINTED_FAULTS:
            break
        try:
            shopper.step()
        except (Unexpected, OSError, KeyError) as error:
            shopper.faults.append(repr(error))
            break
    results.put((shopper.own, shopper.lines, shopper.moved, shopper.versions, shopper.counts, shopper.faults,
                 shopper.client.requests))


def make_products(state, clients):
    prefix = unique("load")
    names = {
        "own": [[f"{prefix}-{number}-{line}" for line in range(OWN_LINES)] for number in range(clients)],
        "shared": [f"{prefix}-shared-{line}" for line in range(SHARED_LINES)],
    }
    products = [
        product(sku, merchantId=f"client{number}") for number, skus in enumerate(names["own"]) for sku in skus
    ]
    Instance(state).import_products(products + [product(sku) for sku in names["shared"]])
    return names


def audit(cart, outcomes, names, first_version):
    """Every fault of the final cart against the ledgers of all clients."""
    faults = [text for outcome in outcomes for text in outcome[5]]
    for own, lines, *_ in outcomes:
        faults += differences(cart, own, lines)
    found = quantities(cart)
    for sku in names["shared"]:
        expected = SHARED_START + sum(outcome[2][sku] for outcome in outcomes)
        if found.get(sku) != expected:
            faults.append(f"{sku}: {found.get(sku)}, the ledgers say {expected}")
    versions = sorted(version for outcome in outcomes for version in outcome[3])
    if versions != list(range(first_version + 1, first_version + 1 + len(versions))):
        faults.append(f"the versions of {len(versions)} changes have gaps or repetitions")
    if cart["version"] != first_version + len(versions):
        faults.append(f"version {cart['version']} after {len(versions)} changes on top of {first_version}")
    if sum(found.values()) != cart["counts"]["quantity"]:
        faults.append("the counts are not those of the lines")
    return faults


def main():
    parser = argparse.ArgumentParser(description="Many clients change one cart at once, and keep a ledger.")
    parser.add_argument("--url", default=URL, help="default: CART_TEST_URL")
    parser.add_argument("--state", required=True, help="the instance's folder, for its cartctl")
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--changes", type=int, default=10_000, help="requests, over all clients")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()

    print(f"seed {options.seed}")
    names = make_products(options.state, options.clients)
    user = unique("contention")
    owner = Client(options.url, user=user)
    lines = [{"sku": sku, "quantity": SHARED_START} for sku in names["shared"]]
    first_version = owner.ok("POST", LINES, {"lines": lines})["version"]

    keys = multiprocessing.Lock()
    results = multiprocessing.Queue()
    processes = []
    started = time.monotonic()
    for number in range(options.clients):
        shopper = Shopper(options.url, user, number, names, options.seed + number, keys)
        count = options.changes // options.clients + (number < options.changes % options.clients)
        processes.append(multiprocessing.Process(target=work, args=(shopper, count, results)))
        processes[-1].start()
    outcomes = [results.get() for _ in processes]
    for process in processes:
        process.join()
    seconds = time.monotonic() - started

    faults = audit(owner.ok("GET", "/v1/cart"), outcomes, names, first_version)
    for text in faults[:PRINTED_FAULTS]:
        print("fault:", text)
    totals = {name: sum(outcome[4][name] for outcome in outcomes) for name in outcomes[0][4]}
    requests = sum(outcome[6] for outcome in outcomes)
    print(
        f"clients {options.clients}, requests {requests}, "
        + ", ".join(f"{name} {count}" for name, count in totals.items())
        + f", seconds {seconds:.1f}, requests/s {requests / seconds:.0f}, faults {len(faults)}"
    )
    return 1 if faults or not totals["changed"] else 0


if __name__ == "__main__":
    sys.exit(main())
