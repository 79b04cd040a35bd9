"""Which Redis speaks for a shop, on the running system: strays, adoption, drains, demotions and promotions."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import pool_system
from pool_system import Cartd, Products, eventually, free_port

SOMEONE = {"Cookie": "demoUser=someone"}
LINES = "/v1/cart/lines"


def add(pool, **headers):
    """The status of an add."""
    return pool.nginx.ask("POST", LINES, {"sku": Products.sku()}, **(headers or SOMEONE)).status


def cart(pool):
    """The cart of someone, and where it comes from."""
    answer = pool.nginx.ask("GET", "/v1/cart", **SOMEONE)
    return answer.status, answer.headers["Cart-Source"], json.loads(answer.body)


def ready(pool):
    answer = pool.nginx.ask("GET", "/ops/ready")
    return json.loads(answer.body)


def keep(pool):
    """Has the cart persisted, and nothing left to do."""
    assert pool.nginx.ask("POST", "/v1/cart/sync", **SOMEONE).status == 200


def cartctl(pool, *arguments, **settings):
    command = [pool_system.STATE / "bin" / "cartctl", *arguments]
    variables = os.environ | pool.variables | {f"CART_{name}": str(value) for name, value in settings.items()}
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False, stdin=subprocess.DEVNULL)


class StrayRedis:
    """An empty Redis that has nothing to do with the shop."""

    def __init__(self, *more):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cart-stray-"))
        self.server = pool_system.start_redis(self.folder, *more)
        self.socket = self.folder / "redis.sock"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        subprocess.run(["rm", "-rf", "--", self.folder], check=True)

    def ask(self, *words):
        command = ["redis-cli", "-s", self.socket, *map(str, words)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Strays(unittest.TestCase):
    def assertIsWell(self, pool):
        """Twelve adds of a known user, four of new users and of new guests."""
        self.assertEqual([add(pool) for _ in range(12)], [200] * 12)
        self.assertEqual([add(pool, Cookie=f"demoUser=new{time.monotonic_ns()}") for _ in range(4)], [200] * 4)
        self.assertEqual([add(pool, Accept="*/*") for _ in range(4)], [200] * 4)
        self.assertTrue(ready(pool)["change"])

    def test_every_command_with_the_wrong_redis_leaves_the_shop_as_it_was(self):
        with Cartd(workers=2) as pool, StrayRedis() as stray, tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
            self.assertIsWell(pool)
            keep(pool)
            file.write(json.dumps({"sku": Products.sku(), "name": "Pool", "unitPrice": 100, "currency": "GBP"}) + "\n")
            file.flush()
            refused = ["sync user:someone", "sync --all", "restore user:someone", "rebuild", "rebuild --dry-run",
                       "forget user:someone --yes", "drain"]  # fmt: skip
            for command in refused:
                done = cartctl(pool, *command.split(), REDIS=f"unix:{stray.socket}")
                self.assertEqual(done.returncode, 1, f"{command}: {done}")
                self.assertIn(str(pool.redis_socket), done.stderr, command)
            for command in ("show user:someone", "log user:someone", "status", "doctor", f"catalog import {file.name}",
                            f"catalog show {Products.sku()}", "adopt"):  # fmt: skip
                cartctl(pool, *command.split(), REDIS=f"unix:{stray.socket}")
            self.assertEqual(stray.ask("DBSIZE"), "0")
            self.assertIsWell(pool)
            self.assertEqual(cart(pool)[1], None)
            self.assertIn(str(pool.redis_socket), cartctl(pool, "doctor", REDIS=f"unix:{stray.socket}").stdout)

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
                self.assertIn("cartctl adopt", cartctl(other, "status").stdout)
                self.assertEqual(other.ask_redis("DBSIZE"), "0")
                self.assertIsWell(pool)

                keep(pool)
                self.assertEqual(cartctl(other, "adopt").returncode, 64)
                done = cartctl(other, "adopt", "--yes")
                self.assertEqual(done.returncode, 0, done)
                began = time.monotonic()
                eventually(lambda: add(other) == 200, "the adopted one serves")
                eventually(lambda: add(pool) == 503, "the former one changes nothing")
                print(f"adopted, and the former one still, after {time.monotonic() - began:.1f} s")
                self.assertLess(time.monotonic() - began, 3)
                self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
                self.assertEqual({cart(pool)[1] for _ in range(8)}, {"database"})
                self.assertFalse(eventually(lambda: not ready(pool)["change"] and ready(pool), "not ready")["change"])
                self.assertIsWell(other)
                self.assertEqual(cart(other)[1], None)

    def test_drained_the_shop_moves_to_any_empty_redis(self):
        with Cartd(workers=1) as pool:
            self.assertEqual(add(pool), 200)
            version = cart(pool)[2]["version"]
            pool.server.stop()
            done = cartctl(pool, "drain", "--json")
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
            pool.ask_redis("REPLICAOF", "127.0.0.1", "1")
            time.sleep(1.1)
            self.assertEqual([cart(pool)[:2] for _ in range(8)], [(200, "database")] * 8)
            self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
            self.assertFalse(eventually(lambda: not ready(pool)["change"] and ready(pool), "not ready")["change"])
            pool.ask_redis("REPLICAOF", "NO", "ONE")
            self.assertEqual([add(pool) for _ in range(8)], [200] * 8)
            self.assertEqual(cart(pool)[2]["version"], 9, "nothing was lost")
            eventually(lambda: ready(pool)["change"], "ready again")

    def test_a_promoted_replica_takes_over_while_the_old_primary_is_written_to(self):
        with Cartd(workers=2) as pool:
            self.assertEqual(add(pool), 200)
            keep(pool)
            port = free_port()
            pool.ask_redis("CONFIG", "SET", "port", port)
            with StrayRedis("--replicaof", f"127.0.0.1 {port}") as replica:
                eventually(lambda: replica.ask("HLEN", "pool:cart:user:someone") != "0", "the replica has the cart")
                # From here on it lags behind: the old primary is cut off, and its clients with it.
                replica.ask("REPLICAOF", "NO", "ONE")
                lost = json.loads(pool.nginx.ask("POST", LINES, {"sku": Products.sku()}, **SOMEONE).body)["version"]
                with Cartd(workers=2, beside=True, redis=replica.socket) as other:
                    eventually(lambda: add(other) == 200, "the promoted one serves by itself")
                    began, told = time.monotonic(), 0
                    while add(pool) == 200:
                        told += 1
                    seconds = time.monotonic() - began
                    print(f"a deposed primary went on for {seconds:.1f} s and {told} changes")
                    self.assertLess(seconds, 2)
                    self.assertEqual({cart(pool)[1] for _ in range(8)}, {"database"})
                    self.assertGreater(cart(other)[2]["version"], 1_000_000)
                    answer = other.nginx.ask(
                        "DELETE", f"{LINES}/{Products.sku()}", **SOMEONE, **{"If-Match": f'"{lost}"'})
                    self.assertEqual(answer.status, 412)

    def test_a_primary_that_wants_replicas_acknowledges_nothing_alone(self):
        with Cartd(workers=1) as pool:
            self.assertEqual(add(pool), 200)
            pool.ask_redis("CONFIG", "SET", "min-replicas-to-write", 1)
            self.assertEqual([add(pool) for _ in range(8)], [503] * 8)
            answer = eventually(lambda: not ready(pool)["change"] and ready(pool), "not ready")
            self.assertIn("NOREPLICAS", answer["reason"])
            self.assertTrue(answer["read"])
            self.assertEqual(cart(pool)[1:2], (None,))
            pool.ask_redis("CONFIG", "SET", "min-replicas-to-write", 0)
            self.assertEqual(add(pool), 200)
            self.assertEqual(cart(pool)[2]["version"], 2)

    def test_the_doctor_waits_a_moment_after_a_flush_and_a_rebuild(self):
        with Cartd(workers=1) as pool:
            self.assertEqual(add(pool), 200)
            keep(pool)
            pool.ask_redis("FLUSHALL")
            self.assertEqual(cartctl(pool, "rebuild").returncode, 0)
            findings = json.loads(cartctl(pool, "doctor", "--json").stdout)
            self.assertEqual({finding["weight"] for finding in findings if finding["subject"] == "syncer"}, {"ok"})


if __name__ == "__main__":
    unittest.main()
