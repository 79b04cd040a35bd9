"""Answers are as described also where a store is away, the time is up, or nobody answers."""

import pathlib
import tempfile
import time
import unittest

from harness.pool import Cartd, Products
from harness.processes import PATIENCE, end, wait_until
from harness.shop import LINES, unique
from harness.tokens import Secret
from system import DESCRIPTION, TARGETS, ask, received

ORDER = TARGETS["/v1/orders/{id}"]
# Every request that a shopper can make, and a body for those that need one.
REQUESTS = [
    (method, TARGETS[path])
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
            answer = ask(method, target + query, body, url=url, Idempotency_Key=unique("key"), **who)
            answers[method, target] = answer.status
        return answers

    def ready(self, url, redis, postgres):
        """What `/ops/ready` says, once it says so of both: it may be a second old."""

        def is_so():
            answer = ask("GET", "/ops/ready", url=url)
            said = answer.json if answer.status == 200 else {"redis": False, "postgres": False}
            return (said["redis"], said["postgres"]) == (redis, postgres) and answer

        return wait_until(is_so, PATIENCE, f"readiness with Redis {redis}, PostgreSQL {postgres}")

    def test_stores_that_are_away(self):
        with Cartd(workers=1, gates=True, GUEST_CHECKOUT="off") as pool:
            url, user, workers = pool.nginx.url, unique("user"), pool.workers()
            guest = ask("POST", LINES, {"sku": Products.sku()}, url=url).headers["Guest-Cart-Id"]
            ask("POST", "/v1/cart/sync", url=url, guest=guest)
            refusal = ask("POST", "/v1/orders", {"expectedTotal": 1}, url=url, guest=guest, Idempotency_Key="1")
            self.assertEqual((refusal.status, refusal.code), (403, "guest_checkout_off"))
            ask("POST", LINES, {"sku": Products.sku()}, url=url, user=user)
            ask("POST", "/v1/cart/sync", url=url, user=user)
            self.ready(url, redis=True, postgres=True)

            pool.redis_gate.shut()
            for target, who in (
                ("/v1/cart", {"user": user, "guest": guest}), ("/v1/cart?view=summary", {"guest": guest}),
            ):  # fmt: skip
                copy = ask("GET", target, url=url, **who)
                told = [copy.headers[name] for name in ("Cart-Source", "Cache-Control", "ETag")]
                self.assertEqual((copy.status, told), (200, ["database", "no-store", None]))
            self.assertEqual(ask("POST", "/v1/cart/validate", url=url, user=user).headers["Cart-Source"], "database")
            answers = self.every(url, user=user)
            self.assertEqual(
                {key for key, status in answers.items() if status != 503},
                {("GET", "/v1/cart"), ("POST", "/v1/cart/validate"), ("GET", "/v1/orders"), ("GET", ORDER),
                 ("POST", f"{ORDER}/cancel")},
            )  # fmt: skip
            ready = self.ready(url, redis=False, postgres=True).json
            self.assertEqual((ready["read"], ready["change"]), (True, False))

            pool.postgres_gate.shut()
            self.assertEqual(set(self.every(url, user=user).values()), {503})
            unready = self.ready(url, redis=False, postgres=False)
            self.assertEqual((unready.status, unready.code), (503, "store_unavailable"))
            self.assertIn("Redis and PostgreSQL are away", unready.json["detail"])
            self.assertTrue(unready.headers["Retry-After"])

            pool.redis_gate.open()
            self.ready(url, redis=True, postgres=False)
            body = {"sku": Products.sku()}
            newcomer = wait_until(
                lambda: ask("POST", LINES, body, url=url).headers["Guest-Cart-Id"], PATIENCE, "Redis to be asked")
            pending = ask("GET", "/v1/cart", url=url, user=user, guest=newcomer)
            self.assertEqual((pending.json["merge"], pending.headers["Cart-Source"]), ({"pending": True}, None))
            self.assertIsNone(pending.headers["Set-Cookie"])
            self.assertEqual(ask("POST", "/v1/cart/merge", {}, url=url, user=user, guest=newcomer).status, 503)

            pool.postgres_gate.open()
            self.ready(url, redis=True, postgres=True)
            self.assertEqual(ask("GET", "/ops/health", url=url).status, 200)
            self.assertEqual(pool.workers(), workers)

    def test_a_request_past_its_deadline(self):
        with Cartd(workers=1, gates=True, REQUEST_DEADLINE=1) as pool:
            pool.redis_gate.hold()
            exchange = pool.nginx.start("POST", LINES, {"sku": Products.sku()}, user="late")
            answer = received("POST", LINES, exchange.connection)
            self.assertEqual((answer.status, answer.code), (504, "deadline_exceeded"))
            pool.redis_gate.release()

    def test_nobody_who_answers(self):
        with Cartd(workers=1) as pool:
            end(pool.process)
            url = pool.nginx.url
            self.assertEqual(set(self.every(url).values()), {502})
            for _, path, _ in DESCRIPTION.operations():
                if path.startswith("/ops") or "." in path:
                    self.assertEqual(ask("GET", path, url=url).status, 502)


class Tokens(unittest.TestCase):
    def test_tokens(self):
        with tempfile.TemporaryDirectory() as folder:
            key, now = Secret(pathlib.Path(folder), "key"), int(time.time())
            with Cartd(workers=1, JWT_ALGORITHM="HS256", JWT_KEY_FILES=key.file) as pool:
                url = pool.nginx.url
                good, old = (key.token({"sub": "ada", "exp": now + seconds}) for seconds in (600, -600))
                for header in ({"Authorization": f"Bearer {good}"}, {"Cookie": f"cartSession={good}"}):
                    self.assertEqual(ask("GET", "/v1/cart", url=url, **header).json["owner"], "user")
                for header in ({"Authorization": f"Bearer {old}"}, {"Cookie": "cartSession=forged"}):
                    self.assertEqual(ask("GET", "/v1/cart", url=url, **header).code, "bad_token")
                    for target in ("/v1/openapi.json", "/v1/cart.js"):
                        self.assertEqual(ask("GET", target, url=url, **header).status, 200)


if __name__ == "__main__":
    unittest.main()
