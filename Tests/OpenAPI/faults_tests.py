"""Answers are as described also where a store is away, the time is up, or nobody answers."""

import base64
import hashlib
import hmac
import json
import pathlib
import tempfile
import time
import unittest

from system import DESCRIPTION, Names, ask, received
from pool_system import Cartd, Products, eventually

LINES = "/v1/cart/lines"
# For every request that a shopper can make, a body that is none too few.
REQUESTS = [
    (method, path.replace("{sku}", "nothing").replace("{id}", "4NqLr8h2Qm7TzP0xWc9YbE"))
    for method, path, _ in DESCRIPTION.operations()
    if path.startswith(("/v1/cart", "/v1/orders")) and "." not in path
]
BODIES = {
    LINES: {"sku": "a"},
    f"{LINES}/nothing": {"delta": 1},
    "/v1/cart/selection": {"selected": True, "all": True},
    "/v1/cart/prices/acknowledge": {},
    "/v1/cart/merge": {},
    "/v1/orders": {"expectedTotal": 1},
}


class Faults(unittest.TestCase):
    def every(self, url, **who):
        """The statuses of every request, by method and target."""
        answers = {}
        for method, target in REQUESTS:
            query = "?selected=true" if (method, target) == ("DELETE", LINES) else ""
            body = BODIES.get(target) if method not in ("GET", "DELETE") else None
            answer = ask(method, target + query, body, url=url, Idempotency_Key=Names.new("key"), **who)
            answers[method, target] = answer.status
        return answers

    def test_stores_that_are_away(self):
        with Cartd(workers=1, gates=True, GUEST_CHECKOUT="off") as pool:
            url, user = f"http://127.0.0.1:{pool.nginx.port}", Names.new("user")
            guest = ask("POST", LINES, {"sku": Products.sku()}, url=url).headers["Guest-Cart-Id"]
            ask("POST", "/v1/cart/sync", url=url, guest=guest)
            refusal = ask("POST", "/v1/orders", {"expectedTotal": 1}, url=url, guest=guest, Idempotency_Key="1")
            self.assertEqual((refusal.status, refusal.code), (403, "guest_checkout_off"))
            ask("POST", LINES, {"sku": Products.sku()}, url=url, user=user)
            ask("POST", "/v1/cart/sync", url=url, user=user)

            pool.redis.shut()
            copy = ask("GET", "/v1/cart", url=url, user=user, guest=guest)
            self.assertEqual((copy.status, copy.headers["Cart-Source"], copy.headers["ETag"]), (200, "database", None))
            self.assertEqual(
                ask("GET", "/v1/cart?view=summary", url=url, guest=guest).headers["Cart-Source"], "database"
            )
            self.assertEqual(ask("POST", "/v1/cart/validate", url=url, user=user).headers["Cart-Source"], "database")
            answers = self.every(url, user=user)
            self.assertEqual(
                {key for key, status in answers.items() if status != 503},
                {
                    ("GET", "/v1/cart"),
                    ("POST", "/v1/cart/validate"),
                    ("GET", "/v1/orders"),
                    ("GET", "/v1/orders/4NqLr8h2Qm7TzP0xWc9YbE"),
                    ("POST", "/v1/orders/4NqLr8h2Qm7TzP0xWc9YbE/cancel"),
                },
            )
            self.assertEqual(ask("GET", "/ops/ready", url=url).json["change"], False)
            pool.postgres.shut()
            self.assertEqual(set(self.every(url, user=user).values()), {503})
            eventually(lambda: ask("GET", "/ops/ready", url=url).status == 503, "it is not ready")

            pool.redis.open()
            newcomer = eventually(
                lambda: ask("POST", LINES, {"sku": Products.sku()}, url=url).headers["Guest-Cart-Id"], "Redis is there"
            )
            pending = ask("GET", "/v1/cart", url=url, user=user, guest=newcomer)
            self.assertEqual(pending.json["merge"], {"pending": True})
            self.assertIsNone(pending.headers["Set-Cookie"])
            self.assertEqual(ask("POST", "/v1/cart/merge", {}, url=url, user=user, guest=newcomer).status, 503)

    def test_a_request_past_its_deadline(self):
        with Cartd(workers=1, gates=True, REQUEST_DEADLINE=1) as pool:
            pool.redis.hold()
            exchange = pool.nginx.start("POST", LINES, {"sku": Products.sku()}, Cookie="demoUser=late")
            answer = received("POST", LINES, exchange.connection)
            self.assertEqual((answer.status, answer.code), (504, "deadline_exceeded"))
            pool.redis.release()

    def test_nobody_who_answers(self):
        with Cartd(workers=1) as pool:
            pool.server.stop()
            url = f"http://127.0.0.1:{pool.nginx.port}"
            self.assertEqual(set(self.every(url).values()), {502})
            for _, path, _ in DESCRIPTION.operations():
                if path.startswith("/ops") or "." in path:
                    self.assertEqual(ask("GET", path, url=url).status, 502)


class Tokens(unittest.TestCase):
    SECRET = b"0123456789abcdef0123456789abcdef"

    def token(self, user, seconds=600):
        def encoded(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        claims = {"sub": user, "exp": int(time.time()) + seconds}
        message = b".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
        return (message + b"." + encoded(hmac.digest(self.SECRET, message, hashlib.sha256))).decode()

    def test_tokens(self):
        with tempfile.TemporaryDirectory() as folder:
            key = pathlib.Path(folder) / "key"
            key.write_bytes(self.SECRET)
            key.chmod(0o600)
            with Cartd(workers=1, JWT_ALGORITHM="HS256", JWT_KEY_FILES=key) as pool:
                url = f"http://127.0.0.1:{pool.nginx.port}"
                good, old = self.token("ada"), self.token("ada", -600)
                for header in ({"Authorization": f"Bearer {good}"}, {"Cookie": f"cartSession={good}"}):
                    self.assertEqual(ask("GET", "/v1/cart", url=url, **header).json["owner"], "user")
                for header in ({"Authorization": f"Bearer {old}"}, {"Cookie": "cartSession=forged"}):
                    self.assertEqual(ask("GET", "/v1/cart", url=url, **header).code, "bad_token")
                    for target in ("/v1/openapi.json", "/v1/cart.js"):
                        self.assertEqual(ask("GET", target, url=url, **header).status, 200)


if __name__ == "__main__":
    unittest.main()
