"""How much one shopper may ask for: changes by address, as nginx's files of production count them, and lines of one cart,
as cartd does."""

import contextlib
import unittest

from harness.pool import Cartd, Products
from harness.processes import PATIENCE, wait_until
from harness.shop import LINES, product
from harness.web import connect, receive, send
from production import Production


class LinesOfACart(unittest.TestCase):
    """CART_TOUCH_LIMIT: changes of more than 100 lines."""

    def setUp(self):
        self.pool = self.enterContext(Cartd(workers=2, TOUCH_LIMIT=300))
        skus = [f"limit-{number}" for number in range(120)]
        Products.load(map(product, skus))
        for part in (skus[:60], skus[60:]):
            answer = self.ask("POST", LINES, {"lines": [{"sku": sku} for sku in part]})
            self.assertEqual(answer.status, 200, answer.body)

    def ask(self, method, path, body=None, **headers):
        return self.pool.nginx.ask(method, path, body, user="ada", **headers)

    def select(self, flag, **headers):
        return self.ask("PUT", "/v1/cart/selection", {"selected": flag, "all": True}, **headers)

    def test_what_would_be_more_is_refused(self):
        first = self.select(False, Idempotency_Key="first")
        self.assertEqual((first.status, self.select(True).status), (200, 200))
        for refused in (self.select(False, Idempotency_Key="second"), self.ask("DELETE", "/v1/cart")):
            self.assertEqual(refused.status, 429, refused.body)
            self.assertTrue(1 <= int(refused.headers["Retry-After"]) <= 12, refused.headers["Retry-After"])
            self.assertEqual((refused.code, refused.json["title"]), ("rate_limited", "Too Many Requests"))
        cart = self.ask("GET", "/v1/cart").json
        self.assertEqual((cart["version"], cart["counts"]["selectedLines"]), (4, 120))
        # What took effect before, and what touches fewer lines, goes on.
        again = self.select(False, Idempotency_Key="first")
        self.assertEqual((again.status, again.headers["Idempotent-Replayed"]), (200, "true"))
        self.assertEqual(self.ask("PATCH", "/v1/cart/lines/limit-7", {"quantity": 2}).status, 200)
        # A refusal has not used its key up: once there is room for the change, it is made.
        answer = wait_until(lambda: self.repeated("second"), PATIENCE, "the change is made")
        self.assertNotIn("Idempotent-Replayed", answer.headers)

    def repeated(self, key):
        answer = self.select(False, Idempotency_Key=key)
        return answer if answer.status == 200 else None


class ChangesOfAnAddress(unittest.TestCase):
    PROXY, STRANGER = "127.0.0.2", "127.0.0.3"

    def setUp(self):
        self.pool = self.enterContext(Cartd(workers=2))
        self.sku = Products.sku()

    def add(self, nginx, source, *headers):
        return nginx.ask("POST", LINES, {"sku": self.sku}, *headers, source=source)

    def until_refused(self, nginx, source, *headers):
        """How many requests for a change went through before one was refused. What they ask for is not JSON, so that they
        come faster than they may on a busy machine too."""
        with contextlib.closing(connect(nginx.url, source)) as connection:
            for count in range(1000):
                send(connection, "POST", LINES, b"no", headers)
                answer = receive(connection)
                if answer.status == 429:
                    self.assertEqual((answer.code, answer.headers["Retry-After"]), ("rate_limited", "1"))
                    return count
                self.assertEqual(answer.status, 400, answer.body)
        self.fail("nothing was refused")

    def test_who_carries_no_guest_id_is_limited_harder(self):
        nginx = Production(self.pool)
        guest = self.add(nginx, self.STRANGER).headers["Guest-Cart-Id"]
        self.assertLess(self.until_refused(nginx, self.STRANGER), 40)
        for _ in range(25):
            self.assertEqual(self.add(nginx, self.STRANGER, ("Guest-Cart-Id", guest)).status, 200)
        self.assertGreaterEqual(self.until_refused(nginx, self.PROXY, ("Guest-Cart-Id", guest)), 60)
        self.assertEqual(nginx.ask("GET", "/v1/cart", None, source=self.STRANGER).status, 200)

    def test_behind_a_proxy_each_shopper_is_limited_alone(self):
        nginx = Production(self.pool, proxy=self.PROXY)
        one, other = (("X-Forwarded-For", f"198.51.100.{number}") for number in (1, 2))
        self.until_refused(nginx, self.PROXY, one)
        self.assertEqual(self.add(nginx, self.PROXY, other).status, 200)
        # What a client puts before its own address, to be somebody else, does not count.
        for number in range(5):
            self.until_refused(nginx, self.PROXY, ("X-Forwarded-For", f"203.0.113.{number}, 198.51.100.1"))

    def test_the_header_of_anybody_else_says_nothing(self):
        nginx = Production(self.pool, proxy=self.PROXY)
        self.until_refused(nginx, self.STRANGER, ("X-Forwarded-For", "198.51.100.1"))
        refused = [self.add(nginx, self.STRANGER, ("X-Forwarded-For", f"198.51.100.{number}")).status == 429
                   for number in range(2, 12)]
        self.assertGreater(refused.count(True), 5, refused)
        self.assertEqual(self.add(nginx, self.PROXY, ("X-Forwarded-For", "198.51.100.2")).status, 200)

    def test_without_the_lines_the_header_says_nothing(self):
        nginx = Production(self.pool)
        self.until_refused(nginx, self.PROXY, ("X-Forwarded-For", "198.51.100.1"))
        refused = [self.add(nginx, self.PROXY, ("X-Forwarded-For", f"198.51.100.{number}")).status == 429
                   for number in range(2, 12)]
        self.assertGreater(refused.count(True), 5, refused)


if __name__ == "__main__":
    unittest.main()
