"""Which Redis speaks for a shop, on the running system: strays, adoption, drains, demotions and promotions."""

import json
import time
import unittest

from harness.pool import Cartd, Products
from harness.processes import PATIENCE, end, wait_until
from harness.shop import LINES

SOMEONE = {"user": "someone"}


def add(pool, **who):
    """The status of an add."""
    return pool.nginx.ask("POST", LINES, {"sku": Products.sku()}, **(who or SOMEONE)).status


def cart(pool):
    """The cart of someone, and where it comes from."""
    answer = pool.nginx.ask("GET", "/v1/cart", **SOMEONE)
    return answer.status, answer.headers["Cart-Source"], answer.json


def ready(pool):
    return pool.nginx.ask("GET", "/ops/ready").json


def keep(pool):
    """Has the cart persisted, and nothing left to do."""
    assert pool.nginx.ask("POST", "/v1/cart/sync", **SOMEONE).status == 200


class Strays(unittest.TestCase):
    def assertIsWell(self, pool):
        """Twelve adds of a known user, four of new users and of new guests."""
        self.assertEqual([add(pool) for _ in range(12)], [200] * 12)
        self.assertEqual([add(pool, user=f"new{time.monotonic_ns()}") for _ in range(4)], [200] * 4)
        self.assertEqual([add(pool, Accept="*/*") for _ in range(4)], [200] * 4)
        self.assertTrue(ready(pool)["change"])

    def test_a_cartd_with_the_wrong_redis_serves_copies_until_it_is_adopted(self):
        with Cartd(workers=2) as pool:
            self.assertEqual(add(pool), 200)
            keep(pool)
            with Cartd(workers=2, beside=True) as other:
                for _ in range(8):
                    status, source, body = cart(other)
                    self.assertEqual((status, source, len(body["lines"])), (200, "database", 1))
                    self.assertEqual(add(other), 503)
                answer = ready(other)
                self.assertEqual((answer["read"], answer["change"], answer["redis"]), (True, False, True))
                self.assertIn("cartctl adopt", answer["reason"])
                self.assertIn("cartctl adopt", other.run_cartctl("status").stdout)
                self.assertEqual(other.redis.ask("DBSIZE"), 0)
                self.assertIsWell(pool)

                keep(pool)
                self.assertEqual(other.run_cartctl("adopt").returncode, 64)
                done = other.run_cartctl("adopt", "--yes")
                self.assertEqual(done.returncode, 0, done)
                began = time.monotonic()
                wait_until(lambda: add(other) == 200, PATIENCE, "the adopted one serves")
                wait_until(lambda: add(pool) == 503, PATIENCE, "the former one changes nothing")
                print(f"adopted, and the former one still, after {time.monotonic() - began:.1f} s")
                self.assertLess(time.monotonic() - began, 3)
                self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
                self.assertEqual({cart(pool)[1] for _ in range(8)}, {"database"})
                wait_until(lambda: not ready(pool)["change"], PATIENCE, "readiness to say so")
                self.assertIsWell(other)
                self.assertEqual(cart(other)[1], None)

    def test_drained_the_shop_moves_to_any_empty_redis(self):
        with Cartd(workers=1) as pool:
            self.assertEqual(add(pool), 200)
            version = cart(pool)[2]["version"]
            end(pool.process)
            done = pool.run_cartctl("drain", "--json")
            self.assertEqual((done.returncode, json.loads(done.stdout)["drained"]), (0, True), done)
            with Cartd(workers=1, beside=True) as other:
                status, source, body = cart(other)
                self.assertEqual((status, source, len(body["lines"])), (200, None, 1))
                self.assertGreater(body["version"], version)
                self.assertIsWell(other)


class Failover(unittest.TestCase):
    def test_a_demoted_redis_is_left_within_a_second_and_taken_again(self):
        with Cartd(workers=2) as pool:
            self.assertEqual(add(pool), 200)
            keep(pool)
            for _ in range(4):
                self.assertEqual(cart(pool)[1], None)
            pool.redis.ask("REPLICAOF", "127.0.0.1", "1")
            time.sleep(1.1)
            self.assertEqual([cart(pool)[:2] for _ in range(8)], [(200, "database")] * 8)
            self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
            wait_until(lambda: not ready(pool)["change"], PATIENCE, "readiness to say so")
            pool.redis.ask("REPLICAOF", "NO", "ONE")
            self.assertEqual([add(pool) for _ in range(8)], [200] * 8)
            self.assertEqual(cart(pool)[2]["version"], 9, "nothing was lost")
            wait_until(lambda: ready(pool)["change"], PATIENCE, "ready again")

    def test_a_primary_that_wants_replicas_acknowledges_nothing_alone(self):
        with Cartd(workers=1) as pool:
            self.assertEqual(add(pool), 200)
            pool.redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)
            self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
            answer = wait_until(lambda: not ready(pool)["change"] and ready(pool), PATIENCE, "not ready")
            self.assertIn("NOREPLICAS", answer["reason"])
            self.assertTrue(answer["read"])
            self.assertEqual(cart(pool)[1:2], (None,))
            pool.redis.ask("CONFIG", "SET", "min-replicas-to-write", 0)
            self.assertEqual(add(pool), 200)
            self.assertEqual(cart(pool)[2]["version"], 2)


if __name__ == "__main__":
    unittest.main()
