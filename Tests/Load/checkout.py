#!/usr/bin/env python3
"""Buyers order at once, and the books must balance.

Each proof makes products of its own and lets many clients order through nginx: more buyers than pieces; carts of the
same five SKUs, added in every order; one key sent a hundred times; eight devices that order one cart; a cart that grows
while it is ordered. In the end nothing was sold that was not there, every key has led to one order, and what was added
was either ordered or is still in the cart. Exits 1 if not.
"""

import argparse
import concurrent.futures
import itertools
import json
import random
import sys
import threading
import uuid

from harness.shop import LINES, STATE, URL, Instance, product, quantities, unique
from harness.web import Client, Unexpected

FAULTS = []


def check(condition, text):
    if not condition:
        FAULTS.append(text)


class Market(Instance):
    """A running instance, in which products are sold to buyers who all are users of their own."""

    def __init__(self, url, state):
        super().__init__(state)
        self.url = url

    def sell(self, *stocks, **more):
        """Sells one product for each stock, and returns their SKUs."""
        products = [product(unique("CO"), stock=stock, **more) for stock in stocks]
        self.import_products(products)
        return [one["sku"] for one in products]

    def stock(self, sku):
        return json.loads(self.cartctl("catalog", "show", sku, "--json"))["stock"]

    def client(self, user=None, connections=1):
        return Client(self.url, user=user or uuid.uuid4().hex, connections=connections)


def order(client, total, key=None, patience=200, **body):
    """Orders, again as long as nobody can tell, and returns the answer."""
    key = key or uuid.uuid4().hex
    for _ in range(patience):
        answer = client.ask("POST", "/v1/orders", {"expectedTotal": total, **body}, Idempotency_Key=key)
        busy = answer.status == 409 and answer.code == "request_in_progress"
        if answer.status not in (502, 503, 504) and not busy:
            return answer
    return answer


def at_once(threads, work, items):
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def prove_last_pieces(shop, buyers, threads):
    """500 buyers for 10 pieces of each of 5 SKUs, added in every order."""
    pieces = 10
    skus = shop.sell(*[1_000_000] * 5)
    orders = list(itertools.permutations(skus))
    random.shuffle(orders)
    clients = []

    def fill(number):
        client = shop.client()
        entries = orders[number % len(orders)]
        client.ok("POST", LINES, {"lines": [{"sku": sku} for sku in entries]})
        return client

    clients = at_once(threads, fill, range(buyers))
    shop.import_products([{"sku": sku, "stock": pieces} for sku in skus])
    answers = at_once(threads, lambda client: order(client, 500, patience=1), clients)
    placed = sum(answer.status == 201 for answer in answers)
    statuses = {}
    for answer in answers:
        name = f"{answer.status} {answer.json.get('code', '')}"
        statuses[name] = statuses.get(name, 0) + 1
    check(placed == pieces, f"{placed} orders of {pieces} pieces: {statuses}")
    check(set(statuses) <= {"201 ", "409 cart_not_ready"}, f"answers: {statuses}")
    for sku in skus:
        check(shop.stock(sku) == 0, f"{sku}: {shop.stock(sku)} left")
    return f"{buyers} buyers, {pieces} pieces of 5 SKUs: {statuses}"


def prove_balance(shop, buyers, threads):
    """Random carts of five SKUs in random order; stock and what was ordered add up to what there was."""
    initial = buyers
    skus = shop.sell(*[initial] * 5)
    ordered = dict.fromkeys(skus, 0)
    lock = threading.Lock()

    def buy(_):
        client = shop.client()
        entries = random.sample(skus, random.randint(1, 5))
        lines = [{"sku": sku, "quantity": random.randint(1, 5)} for sku in entries]
        client.ok("POST", LINES, {"lines": lines})
        total = 100 * sum(line["quantity"] for line in lines)
        answer = order(client, total, patience=1)
        if answer.status == 201:
            with lock:
                for line in answer.json["lines"]:
                    ordered[line["sku"]] += line["quantity"]
        return answer.status

    def attempt(number):
        try:
            return buy(number)
        except Unexpected as error:
            # The last pieces are gone.
            return 409 if "stock" in str(error) else 500

    statuses = at_once(threads, attempt, range(buyers))
    check(set(statuses) <= {201, 409}, f"answers: {sorted(set(statuses))}")
    for sku in skus:
        left = shop.stock(sku)
        check(left >= 0 and left + ordered[sku] == initial, f"{sku}: {left} left, {ordered[sku]} ordered of {initial}")
    return f"{buyers} random carts: {statuses.count(201)} ordered, stock and orders add up"


def prove_one_key(shop, times, threads):
    """One key, many times at once and again: one order, one movement of stock, the same answer."""
    [sku] = shop.sell(1_000)
    user = uuid.uuid4().hex
    shop.client(user).ok("POST", LINES, {"sku": sku, "quantity": 3})
    key = uuid.uuid4().hex
    answers = at_once(threads, lambda _: order(shop.client(user), 300, key), range(times))
    answers += at_once(threads, lambda _: order(shop.client(user), 300, key), range(times))
    statuses = [answer.status for answer in answers]
    check(sorted(set(statuses)) == [200, 201], f"answers to one key: {sorted(set(statuses))}")
    check(statuses.count(201) == 1, f"{statuses.count(201)} orders of one key")
    check(len({str(answer.json) for answer in answers}) == 1, "one key has led to different answers")
    check(all(answer.is_replayed for answer in answers if answer.status == 200), "a replay that does not say so")
    check(shop.stock(sku) == 997, f"one key: {shop.stock(sku)} left of 1000")
    return f"one key {2 * times} times: 1 order"


def prove_devices(shop, rounds):
    """Eight devices with eight keys order one cart: one of them gets the lines."""
    [sku] = shop.sell(100_000)
    for _ in range(rounds):
        user = uuid.uuid4().hex
        devices = [shop.client(user) for _ in range(8)]
        devices[0].ok("POST", LINES, {"sku": sku, "quantity": 2})
        answers = at_once(8, lambda device: order(device, 200), devices)
        statuses = sorted(answer.status for answer in answers)
        check(statuses == [201] + [409] * 7, f"eight devices: {statuses}")
        codes = {answer.code for answer in answers if answer.status != 201}
        check(codes == {"cart_empty"}, f"eight devices: {codes}")
    check(shop.stock(sku) == 100_000 - 2 * rounds, "eight devices: stock")
    return f"eight devices, {rounds} rounds: one order each"


def prove_growth(shop, additions):
    """A cart that grows while it is ordered: ordered and left are what was added."""
    skus = shop.sell(None, None, None)
    user = uuid.uuid4().hex
    added = dict.fromkeys(skus, 0)
    ordered = dict.fromkeys(skus, 0)
    done = threading.Event()

    def grow():
        client = shop.client(user)
        for _ in range(additions):
            sku = random.choice(skus)
            quantity = random.randint(1, 3)
            client.ok("POST", LINES, {"sku": sku, "quantity": quantity})
            added[sku] += quantity
        done.set()

    def buy(_):
        client = shop.client(user)
        count = 0
        while not done.is_set():
            total = client.ok("GET", "/v1/cart?view=summary")["totals"]["selected"]
            answer = order(client, total, patience=1)
            if answer.status == 409 and answer.code == "total_changed":
                total = answer.json["cart"]["totals"]["selected"]
                answer = order(client, total, patience=1)
            if answer.status == 201:
                count += 1
                for line in answer.json["lines"]:
                    with lock:
                        ordered[line["sku"]] += line["quantity"]
        return count

    lock = threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        growing = pool.submit(grow)
        counts = [pool.submit(buy, number) for number in range(2)]
        growing.result()
        placed = sum(count.result() for count in counts)
    left = quantities(shop.client(user).ok("GET", "/v1/cart"))
    for sku in skus:
        found = ordered[sku] + left.get(sku, 0)
        check(found == added[sku], f"{sku}: {added[sku]} added, {ordered[sku]} ordered, {left.get(sku, 0)} left")
    check(placed > 0, "nothing was ordered while the cart grew")
    return f"{additions} additions during {placed} orders: nothing lost, nothing twice"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default=URL)
    parser.add_argument("--state", default=STATE)
    parser.add_argument("--buyers", type=int, default=500)
    parser.add_argument("--threads", type=int, default=24)
    parser.add_argument("--long", action="store_true", help="the full counts; without it a fifth of them")
    options = parser.parse_args()
    part = 1 if options.long else 5
    shop = Market(options.url, options.state)
    for proof in (
        lambda: prove_last_pieces(shop, options.buyers // part, options.threads),
        lambda: prove_balance(shop, options.buyers // part, options.threads),
        lambda: prove_one_key(shop, 100 // part, options.threads),
        lambda: prove_devices(shop, 20 // part),
        lambda: prove_growth(shop, 300 // part),
    ):
        print(proof(), flush=True)
    for fault in FAULTS[:20]:
        print("WRONG", fault, file=sys.stderr)
    return 1 if FAULTS else 0


if __name__ == "__main__":
    sys.exit(main())
