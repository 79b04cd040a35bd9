"""A proxy cuts one answer in five after its effect; clients repeat with their key: the sums are exact."""

import contextlib
import http.client
import random
import socket
import threading
import unittest

from harness.pool import Cartd, Products, instance
from harness.shop import IS_LONG, LINES, product
from harness.web import Exchange

CLIENTS = 8
ADDS = 400 if IS_LONG else 60
ORDERS = 100 if IS_LONG else 10


class CuttingProxy:
    """Before a port: of the answers that come, one in five is thrown away with its connection."""

    def __init__(self, port, chance):
        self.target, self.chance, self.cuts = port, chance, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near):
        """One request and its answer; nginx is told to close, so that an answer ends with its connection."""
        with near, socket.create_connection(("127.0.0.1", self.target)) as far, contextlib.suppress(OSError):
            threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
            answer = b""
            while data := far.recv(65536):
                answer += data
            if self.chance.random() < 0.2:
                self.cuts += 1
            else:
                near.sendall(answer)
            near.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pump(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)


class Retries(unittest.TestCase):
    def test_what_is_repeated_with_its_key_counts_once(self):
        chance = random.Random(seed := random.randrange(1 << 32))
        skus = Products.many(CLIENTS)
        with Cartd(workers=3) as pool:
            proxy = CuttingProxy(pool.nginx.port, chance)
            self.addCleanup(proxy.close)
            replays = [0] * CLIENTS
            self.run_all([
                (self.shop, (proxy.port, f"retry-{number}", skus[number], replays, number)) for number in range(CLIENTS)
            ])
            for number in range(CLIENTS):
                answer = pool.nginx.ask("GET", "/v1/cart", user=f"retry-{number}")
                cart = answer.json
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (ADDS, ADDS), f"seed {seed}")
            # The answer to a repetition may be cut as well.
            self.assertLessEqual(sum(replays), proxy.cuts, f"seed {seed}")
            self.assertGreater(sum(replays), ADDS // 2)
            print(f"{CLIENTS * ADDS} adds, {proxy.cuts} answers cut, {sum(replays)} replays, seed {seed}")

    def test_an_order_that_is_repeated_with_its_key_is_placed_once(self):
        chance = random.Random(seed := random.randrange(1 << 32))
        sku = f"cut-{seed}"
        stock = CLIENTS * ORDERS + 7
        Products.load([product(sku, stock=stock)])
        with Cartd(workers=3) as pool:
            proxy = CuttingProxy(pool.nginx.port, chance)
            self.addCleanup(proxy.close)
            users = [f"cut-{seed}-{number}" for number in range(CLIENTS)]
            replays = [0] * CLIENTS
            self.run_all([(self.order, (proxy.port, user, sku, replays, number)) for number, user in enumerate(users)])
            for user in users:
                cart = pool.nginx.ask("GET", "/v1/cart", user=user).json
                self.assertEqual((cart["lines"], cart["version"]), ([], 2 * ORDERS), f"seed {seed}")
            ordered = instance().psql(f"""
                SELECT count(*), count(DISTINCT order_id), sum(quantity), count(DISTINCT owner_id)
                FROM cart_pool.orders JOIN cart_pool.order_lines USING (order_id) WHERE sku = '{sku}'""")
            self.assertEqual(ordered, "|".join(map(str, [CLIENTS * ORDERS] * 3 + [CLIENTS])), f"seed {seed}")
            self.assertEqual(instance().psql(f"SELECT stock FROM cart_pool.skus WHERE sku = '{sku}'"), "7", f"seed {seed}")
            self.assertGreater(sum(replays), 0)
            print(f"{CLIENTS * ORDERS} orders, {proxy.cuts} answers cut, {sum(replays)} replays, seed {seed}")

    def run_all(self, calls):
        """What a thread finds wrong is told here."""
        faults = []

        def run(call, arguments):
            try:
                call(*arguments)
            except Exception as fault:
                faults.append(fault)

        threads = [threading.Thread(target=run, args=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    @classmethod
    def shop(cls, port, user, sku, replays, number):
        for count in range(ADDS):
            replays[number] += cls.insist(port, user, LINES, {"sku": sku}, f"key-{count}")

    @classmethod
    def order(cls, port, user, sku, replays, number):
        for count in range(ORDERS):
            cls.insist(port, user, LINES, {"sku": sku}, f"add-{count}")
            replays[number] += cls.insist(port, user, "/v1/orders", {"expectedTotal": 100}, f"order-{count}")

    @staticmethod
    def insist(port, user, path, body, key):
        """Repeats a request until it has an answer, and tells whether that is a replay's."""
        while True:
            try:
                url = f"http://127.0.0.1:{port}"
                headers = {"Idempotency-Key": key, "Connection": "close"}
                answer = Exchange(url, "POST", path, body, headers, user).finish()
            except (OSError, http.client.HTTPException):
                continue
            # The first one may still be at it, on another connection.
            if answer.status == 409 and answer.code == "request_in_progress":
                continue
            if answer.status not in (200, 201):
                raise AssertionError(f"status {answer.status}: {answer.body}")
            return answer.is_replayed


if __name__ == "__main__":
    unittest.main()
