"""A proxy cuts one answer in five after its effect; clients repeat with their key: the sums are exact."""

import contextlib
import http.client
import json
import random
import socket
import threading
import unittest

import pool_system
from pool_system import Cartd, Products

CLIENTS = 8
ADDS = 400 if pool_system.IS_LONG else 60


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
            threads = [
                threading.Thread(target=self.shop, args=(proxy.port, f"retry-{number}", skus[number], replays, number))
                for number in range(CLIENTS)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for number in range(CLIENTS):
                answer = pool.nginx.ask("GET", "/v1/cart", Cookie=f"demoUser=retry-{number}")
                cart = json.loads(answer.body)
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (ADDS, ADDS), f"seed {seed}")
            # The answer to a repetition may be cut as well.
            self.assertLessEqual(sum(replays), proxy.cuts, f"seed {seed}")
            self.assertGreater(sum(replays), ADDS // 2)
            print(f"{CLIENTS * ADDS} adds, {proxy.cuts} answers cut, {sum(replays)} replays, seed {seed}")

    @staticmethod
    def shop(port, user, sku, replays, number):
        for count in range(ADDS):
            headers = {
                "Cookie": f"demoUser={user}", "Content-Type": "application/json", "Idempotency-Key": f"key-{count}",
                "Connection": "close",
            }
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=pool_system.PATIENCE)
                try:
                    connection.request("POST", "/v1/cart/lines", body=json.dumps({"sku": sku}), headers=headers)
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException):
                    continue
                finally:
                    connection.close()
                replays[number] += answer.headers.get("Idempotent-Replayed") == "true"
                if answer.status != 200:
                    raise AssertionError(f"status {answer.status}")
                break


if __name__ == "__main__":
    unittest.main()
