"""Of the answers that clients are sent, one in five is lost on the way; they repeat with their key: the sums are exact."""

import concurrent.futures
import random
import unittest

from harness.pool import Cartd, Products, instance
from harness.shop import IS_LONG, LINES, product, unique

CLIENTS = 8
ADDS = 400 if IS_LONG else 60
ORDERS = 100 if IS_LONG else 10


class Customer:
    """Who repeats what he has no answer to, and counts the answers that he lost and those that were a replay's."""

    def __init__(self, pool, seed, number, sku):
        self.pool, self.user, self.sku = pool, unique("retry"), sku
        self.chance = random.Random(f"{seed} {number}")
        self.lost = self.replays = 0

    def insist(self, path, body, key):
        """Whether the answer that came was a replay's."""
        while True:
            answer = self.pool.nginx.ask("POST", path, body, self.user, Idempotency_Key=key)
            if self.chance.random() < 0.2:
                self.lost += 1
                continue
            if answer.status not in (200, 201):
                raise AssertionError(f"status {answer.status}: {answer.body}")
            return answer.is_replayed

    def add(self):
        for count in range(ADDS):
            self.replays += self.insist(LINES, {"sku": self.sku}, f"key-{count}")

    def order(self):
        for count in range(ORDERS):
            self.insist(LINES, {"sku": self.sku}, f"add-{count}")
            self.replays += self.insist("/v1/orders", {"expectedTotal": 100}, f"order-{count}")

    def cart(self):
        return self.pool.nginx.ask("GET", "/v1/cart", user=self.user).json


class Retries(unittest.TestCase):
    def shop(self, pool, skus, what):
        """Customers who all do so at once."""
        seed = random.randrange(1 << 32)
        customers = [Customer(pool, seed, number, sku) for number, sku in enumerate(skus)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(what, customers))
        replays, lost = (sum(getattr(one, name) for one in customers) for name in ("replays", "lost"))
        print(f"{what.__name__}: {lost} answers lost, {replays} replays, seed {seed}", flush=True)
        # The answer to a repetition may be lost as well.
        self.assertLessEqual(replays, lost, f"seed {seed}")
        self.assertGreater(replays, 0, f"seed {seed}")
        return customers

    def test_what_is_repeated_with_its_key_counts_once(self):
        with Cartd(workers=3) as pool:
            for customer in self.shop(pool, Products.many(CLIENTS), Customer.add):
                cart = customer.cart()
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (ADDS, ADDS))

    def test_an_order_that_is_repeated_with_its_key_is_placed_once(self):
        sku = unique("cut")
        Products.load([product(sku, stock=CLIENTS * ORDERS + 7)])
        with Cartd(workers=3) as pool:
            for customer in self.shop(pool, [sku] * CLIENTS, Customer.order):
                cart = customer.cart()
                self.assertEqual((cart["lines"], cart["version"]), ([], 2 * ORDERS))
            ordered = instance().psql(f"""
                SELECT count(*), count(DISTINCT order_id), sum(quantity), count(DISTINCT owner_id)
                FROM cart_pool.orders JOIN cart_pool.order_lines USING (order_id) WHERE sku = '{sku}'""")
            self.assertEqual(ordered, "|".join(map(str, [CLIENTS * ORDERS] * 3 + [CLIENTS])))
            self.assertEqual(instance().psql(f"SELECT stock FROM cart_pool.skus WHERE sku = '{sku}'"), "7")


if __name__ == "__main__":
    unittest.main()
