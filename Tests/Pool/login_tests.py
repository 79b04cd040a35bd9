"""Many devices log in at once with one guest's cart, while workers are killed: each line comes once, and each login is
answered."""

import contextlib
import http.client
import os
import random
import signal
import threading
import time
import unittest

from harness import shop
from harness.pool import Cartd, Products
from harness.processes import PATIENCE, wait_until
from harness.shop import IS_LONG, quantities
from harness.web import connect, receive, send

ROUNDS = 1_000 if IS_LONG else 25
DEVICES = 50
# One dies in each round, and is replaced at once: the master lets only those wait that follow one who has died younger
# than YOUNG seconds. Of so many workers there is soon one that is older.
WORKERS = 16
YOUNG = 5
LINES = 65
# So many of them stand in the user's cart too.
SHARED = 30


class Device:
    """A browser on a connection of its own."""

    def __init__(self, url):
        self.connection = connect(url)

    def ask(self, method, path, body=None, user=None, guest=None):
        try:
            send(self.connection, method, path, body, (), user, guest)
            return receive(self.connection)
        except OSError:
            # The next request connects anew.
            self.connection.close()
            raise

    def insist(self, *request, **identity):
        """Repeats what a killed worker, or a merge that another device is at, leaves without a proper answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = None
            with contextlib.suppress(OSError, http.client.HTTPException):
                answer = self.ask(*request, **identity)
            if answer is not None and answer.status not in (502, 503, 504):
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"no answer: {answer and answer.body}")
            time.sleep(0.01)


class Reaper:
    """Kills a worker in the middle of the logins, one that is no longer young."""

    def __init__(self, chance):
        self.chance, self.killed, self.seen = chance, 0, {}

    def victims(self, cartd):
        now = time.monotonic()
        self.seen = {pid: self.seen.get(pid, now) for pid in cartd.workers()}
        return [pid for pid, since in self.seen.items() if now - since > YOUNG]

    def kill_one(self, cartd):
        time.sleep(self.chance.random() * 0.05)
        if victims := self.victims(cartd):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(victims), signal.SIGKILL)
                self.killed += 1


class Logins(unittest.TestCase):
    def test_each_line_comes_once(self):
        """Worker deaths cost requests, but no line and no login."""
        chance = random.Random(seed := random.randrange(1 << 32))
        skus = Products.many(100)
        reaper = Reaper(chance)
        began = time.monotonic()
        with Cartd(workers=WORKERS) as cartd:
            devices = [Device(cartd.nginx.url) for _ in range(DEVICES)]
            for number in range(ROUNDS):
                wait_until(lambda: reaper.victims(cartd), PATIENCE, "a worker is old enough")
                user = f"login-{seed}-{number}"
                guest = self.fill(devices[0], skus[:LINES], 1)
                self.fill(devices[1], skus[LINES - SHARED:LINES - SHARED + LINES], 2, user)
                statuses = self.log_in(devices, user, guest, lambda: reaper.kill_one(cartd))
                self.assertEqual(statuses, [200] * DEVICES, f"seed {seed}, round {number}")
                self.check(devices[0], user, guest, skus, f"seed {seed}, round {number}")
                if (number + 1) % 50 == 0:
                    print(f"round {number + 1} after {time.monotonic() - began:.0f} s", flush=True)
            cartd.wait_until_idle()
            self.assertEqual(reaper.killed, ROUNDS)
        print(f"{ROUNDS} rounds of {DEVICES} logins with {LINES} lines, a worker killed in each, seed {seed}")

    def fill(self, device, skus, quantity, user=None):
        lines = {"lines": [{"sku": sku, "quantity": quantity} for sku in skus]}
        answer = device.insist("POST", shop.LINES, lines, user=user)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.headers.get("Guest-Cart-Id")

    @staticmethod
    def log_in(devices, user, guest, meanwhile):
        statuses = [0] * len(devices)
        barrier = threading.Barrier(len(devices) + 1)

        def run(index):
            barrier.wait()
            statuses[index] = devices[index].insist("GET", "/v1/cart", user=user, guest=guest).status

        threads = [threading.Thread(target=run, args=(index,)) for index in range(len(devices))]
        for thread in threads:
            thread.start()
        barrier.wait()
        meanwhile()
        for thread in threads:
            thread.join()
        return statuses

    def check(self, device, user, guest, skus, where):
        cart = device.insist("GET", "/v1/cart", user=user).json
        found = quantities(cart)
        wanted = dict.fromkeys(skus[:LINES], 1)
        for sku in skus[LINES - SHARED:LINES - SHARED + LINES]:
            wanted[sku] = wanted.get(sku, 0) + 2
        self.assertEqual(found, wanted, where)
        spent = device.insist("GET", "/v1/cart", guest=guest).json
        self.assertEqual(spent["lines"], [], where)


if __name__ == "__main__":
    unittest.main()
