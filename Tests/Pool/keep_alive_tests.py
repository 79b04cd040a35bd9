"""A second web server beside one that keeps connections to every worker, and sends nothing on them."""

import select
import time
import unittest

import pool_load
from harness.pool import Cartd, Products
from harness.processes import descriptors
from naive_pool import Naive


class SecondServer(unittest.TestCase):
    # Of other processes on the machine that have their turn: the best of so many attempts counts.
    ATTEMPTS = 5

    def fill(self, pool, clients, sku, has_versions=True):
        """Leaves the first nginx with idle connections; returns the load, whose clients are still there."""
        load = pool_load.Load(pool.nginx.port, pool_load.adders("first", clients, sku, has_versions))
        self.addCleanup(load.close)
        load.run(400)
        self.assertEqual(load.faults, [], load.first_faults)
        return load

    def test_it_is_served_at_once(self):
        sku = Products.sku()
        with Cartd(workers=2) as pool:
            empty = sum(map(descriptors, pool.workers()))
            self.fill(pool, 8, sku)
            pool.wait_until_idle()
            kept = sum(map(descriptors, pool.workers())) - empty
            # More than workers: the classic loop has nobody left at one connection for each.
            self.assertGreaterEqual(kept, 2)
            second = pool.add_nginx("second")
            slowest = []
            for attempt in range(self.ATTEMPTS):
                load = pool_load.Load(second.port, pool_load.adders(f"second-{attempt}", 1, sku)).run(300)
                load.close()
                self.assertEqual(load.faults, [], load.first_faults)
                slowest.append(load.slowest)
                if load.slowest < 0.05:
                    break
            milliseconds = [round(wait * 1000, 1) for wait in slowest]
            print(f"\n{kept} descriptors more; slowest of 300: {milliseconds} ms", flush=True)
            self.assertLess(min(slowest), 0.05)
            self.assertEqual(len(pool.workers()), 2)

    def test_before_the_classic_loop_it_waits_for_the_first_one_to_go(self):
        with Naive(workers=2) as pool:
            self.fill(pool, 2, "sku", has_versions=False)
            second = pool.add_nginx("second")
            started = time.monotonic()
            request = second.start("GET", "/v1/cart")
            self.assertEqual(select.select([request.connection.sock], [], [], 1)[0], [])
            pool.nginx.stop()
            self.assertEqual(request.finish().status, 200)
            print(f"\nthe classic loop: {time.monotonic() - started:.1f} s, until the first nginx was gone", flush=True)
            self.assertEqual(len(pool.children()), 2)


if __name__ == "__main__":
    unittest.main()
