"""The pool under load through nginx, while workers come and go."""

import os
import signal
import time
import unittest

import pool_load
from harness.meanwhile import again_and_again
from harness.pool import Cartd, Products
from harness.processes import PATIENCE, descriptors, private_bytes, wait_until
from harness.shop import IS_LONG
from naive_pool import Naive


class ComingAndGoing(unittest.TestCase):
    """Reloads one after the other, workers that live for 50 requests, and one worker more and less."""

    def test_no_post_is_lost_and_none_counts_twice(self):
        count = 100_000 if IS_LONG else 10_000
        sku = Products.sku()
        with Cartd(workers=4, MAX_REQUESTS=50) as pool:
            reloads = 0

            def disturb():
                nonlocal reloads
                reloads += 1
                pool.signal(signal.SIGHUP)
                pool.signal(signal.SIGTTIN)
                pool.wait_for(f"generation={reloads} [FastCGIServer] reload finished")
                pool.signal(signal.SIGTTOU)

            speakers = pool_load.adders("post", 16, sku)
            load = pool_load.Load(pool.nginx.port, speakers)
            with again_and_again(disturb):
                load.run(count)
            load.close()
            pool.wait_until_idle()
            seen = pool.status()["pool"]
            print(f"\n{load}; {reloads} reloads, {seen['recycles']} recycled, {seen['crashes']} crashed", flush=True)
            self.assertEqual(load.faults, [], load.first_faults)
            self.assertEqual(sum(speaker.acknowledged for speaker in speakers), count)
            self.assertGreater(reloads, 1)
            self.assertGreater(seen["recycles"], count / 1_000)
            self.assertEqual(seen["crashes"], 0)
            for speaker in speakers:
                cart = pool.nginx.ask("GET", "/v1/cart", user=speaker.name).json
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (speaker.acknowledged,) * 2)

    def test_the_classic_loop_loses_posts_at_a_reload(self):
        self.lose(Naive(workers=4), lambda pool: (pool.signal(signal.SIGHUP), time.sleep(0.02)))

    def test_the_classic_loop_loses_posts_when_workers_live_for_50_requests(self):
        self.lose(Naive(workers=4, maximum_requests=50), lambda pool: time.sleep(0.02))

    def lose(self, naive, action):
        """The same load; it need not go on once it has failed."""
        with naive as pool:
            # Fewer than its workers: it leaves those waiting that have no worker of their own.
            load = pool_load.Load(pool.nginx.port, pool_load.adders("post", 3, "sku", has_versions=False))
            with again_and_again(lambda: action(pool)):
                while not load.faults and load.answers < 200_000:
                    load.run(1_000)
            load.close()
            print(f"\nthe classic loop: {load}", flush=True)
            self.assertGreater(len(load.faults), 0)
            self.assertIn("status 502", load.first_faults)
            wait_until(lambda: len(pool.children()) == 4, PATIENCE, "the workers are there")


class Leaks(unittest.TestCase):
    """After very many requests a worker is what it was before."""

    WARMING = 5_000

    def test_memory_and_descriptors_stay(self):
        count = 1_000_000 if IS_LONG else 20_000
        with Cartd(workers=4) as pool:
            workers = pool.workers()
            load = pool_load.Load(pool.nginx.port, [pool_load.Visitor(f"visit-{n}", Products.sku()) for n in range(16)])
            load.run(self.WARMING)
            before = self.sample(pool)
            load.run(count)
            after = self.sample(pool)
            load.close()
            self.assertEqual(load.faults, [], load.first_faults)
            self.assertEqual(pool.workers(), workers)
            requests = sum(worker["requests"] for worker in pool.status()["workers"])
            print(f"\n{load}; KiB and descriptors of each worker: {before} before, {after} after", flush=True)
            # Those that ask for the status are answered by another process.
            self.assertEqual(requests, count + self.WARMING)
            for (memory, held), (memory_after, held_after) in zip(before, after):
                self.assertLessEqual(memory_after, memory + 512)
                # nginx keeps eight connections for each of its processes; who holds them changes.
                self.assertLessEqual(held_after, held + 16)
            self.assertLessEqual(sum(held for _, held in after), sum(held for _, held in before) + 16)

    def sample(self, pool):
        pool.wait_until_idle()
        return [(private_bytes(pid) // 1024, descriptors(pid)) for pid in pool.workers()]


class SignalsUnderLoad(unittest.TestCase):
    """A signal each millisecond while bodies of 90 KB come in and go out: none is cut."""

    NUMBERS = [signal.SIGUSR1, signal.SIGWINCH, signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGPIPE]

    def test_every_answer_is_whole(self):
        count = 10_000 if IS_LONG else 400
        with Cartd(workers=2) as pool:
            workers = pool.workers()
            turn = 0

            def disturb():
                nonlocal turn
                turn += 1
                os.kill(pool.process.pid, signal.SIGUSR1 if turn % 20 == 0 else signal.SIGWINCH)
                for pid in workers:
                    os.kill(pid, self.NUMBERS[turn % len(self.NUMBERS)])
                time.sleep(0.001)

            names = Products.many(90)
            load = pool_load.Load(pool.nginx.port, [pool_load.Hauler(f"haul-{n}", names) for n in range(6)])
            with again_and_again(disturb):
                load.run(count)
            load.close()
            print(f"\n{load}; {turn} times a signal to all", flush=True)
            self.assertEqual(load.faults, [], load.first_faults)
            self.assertEqual(pool.workers(), workers)
            pool.wait_until_idle()


if __name__ == "__main__":
    unittest.main()
