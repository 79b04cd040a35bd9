"""What goes wrong with a pool, and what a client of nginx sees of it."""

import errno
import os
import select
import signal
import socket
import time
import unittest

import pool_load
from harness.meanwhile import again_and_again
from harness.pool import Cartd, Products
from harness.processes import PATIENCE, is_alive, wait_until
from harness.shop import LINES
from naive_pool import Naive


def add(pool, user):
    """An add that has been sent."""
    return pool.nginx.start("POST", LINES, {"sku": Products.sku(), "quantity": 1}, user=user)


class FaultTests(unittest.TestCase):
    def assertServes(self, pool, count=20):
        for number in range(count):
            self.assertEqual(add(pool, f"after-{number}").finish().status, 200)

    def assertIsProblem(self, answer, statuses, code):
        self.assertIn(answer.status, statuses)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual((answer.json["status"], answer.code), (answer.status, code))
        self.assertEqual(answer.json["requestId"], answer.headers["Request-Id"])

    def occupy(self, pool, others=()):
        """An add in a worker that gets no answer from Redis, and the worker's process, which is none of `others`."""
        request = add(pool, "victim")
        busy = wait_until(lambda: {one["pid"] for one in pool.busy()} - set(others), PATIENCE, "a worker to be busy")
        return request, busy.pop()

    def await_replacement(self, pool, victim):
        wait_until(lambda: victim not in pool.workers() and len(pool.workers()) == pool.count, PATIENCE, "another worker")


class Kills(FaultTests):
    def test_in_a_request_costs_exactly_that_request(self):
        with Cartd(workers=2, gates=True) as pool:
            self.assertServes(pool)
            pool.wait_until_idle()
            pool.redis_gate.hold()
            lost, victim = self.occupy(pool)
            other, _ = self.occupy(pool, [victim])
            # A worker keeps idle connections for two milliseconds of a request before it leaves them to others; what
            # nginx sends on them until then dies with it, as what comes to an idle worker would.
            time.sleep(0.1)
            waiting = [add(pool, f"waiting-{number}") for number in range(3)]
            started = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            self.await_replacement(pool, victim)
            seconds = time.monotonic() - started
            pool.redis_gate.release()
            answer = lost.finish()
            self.assertIsProblem(answer, (502, 503), "overloaded")
            self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual([request.finish().status for request in [other, *waiting]], [200] * 4)
            print(f"\nkilled in a request: {answer.status}, replaced after {seconds * 1000:.0f} ms", flush=True)
            self.assertLess(seconds, 0.2)
            self.assertServes(pool)
            pool.wait_until_idle(2)

    def test_of_an_idle_worker_costs_nothing(self):
        # Each but once: one that dies young twice is replaced with a delay.
        with Cartd(workers=6) as pool:
            for victim in pool.workers():
                self.assertServes(pool, 20)
                pool.wait_until_idle()
                started = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                self.await_replacement(pool, victim)
                self.assertLess(time.monotonic() - started, 0.2)
            self.assertServes(pool)
            pool.wait_until_idle()
            self.assertEqual(pool.status()["pool"]["crashes"], 6)

    def test_a_stopped_worker_is_replaced(self):
        with Cartd(workers=2) as pool:
            self.assertServes(pool)
            pool.wait_until_idle(2)
            victim = pool.workers()[0]
            started = time.monotonic()
            os.kill(victim, signal.SIGSTOP)
            self.await_replacement(pool, victim)
            self.assertLess(time.monotonic() - started, 1)
            self.assertFalse(is_alive(victim))
            self.assertServes(pool)
            pool.wait_until_idle(2)

    def test_the_classic_loop_keeps_a_stopped_worker(self):
        with Naive(workers=1) as pool:
            victim = next(iter(pool.children()))
            os.kill(victim, signal.SIGSTOP)
            request = pool.nginx.start("GET", "/v1/cart")
            self.assertEqual(select.select([request.connection.sock], [], [], 1)[0], [])
            self.assertEqual(pool.children(), {victim})
            os.kill(victim, signal.SIGCONT)
            self.assertEqual(request.finish().status, 200)

    def test_of_the_master_ends_the_pool_after_its_requests_and_leaves_the_way_free(self):
        with Cartd(workers=2, gates=True) as pool:
            pool.redis_gate.hold()
            request, _ = self.occupy(pool)
            children = pool.children()
            # Two workers, the syncer and the responder.
            self.assertEqual(len(children), 4)
            pool.signal(signal.SIGKILL)
            pool.redis_gate.release()
            self.assertEqual(request.finish().status, 200)
            wait_until(lambda: not any(map(is_alive, children)), PATIENCE, "nobody is left")
            self.assertIn(pool.nginx.ask("GET", "/v1/cart").status, (502, 503))
            pool.run([pool.program], pool.variables)
            wait_until(lambda: pool.nginx.ask("GET", "/v1/cart").status == 200, PATIENCE, "the new master serves")
            self.assertServes(pool)
            pool.wait_until_idle(2)


class Starts(FaultTests):
    def load(self, pool):
        load = pool_load.Load(pool.nginx.port, pool_load.adders("load", 4, Products.sku()))
        self.addCleanup(load.close)
        return load

    def test_workers_that_cannot_start_are_tried_again_ever_more_slowly(self):
        with Cartd(workers=2) as pool:
            load = self.load(pool)
            load.run(200)
            pool.wait_until_idle(2)
            aside = pool.secret.rename(pool.folder / "aside")
            os.kill(pool.workers()[0], signal.SIGKILL)
            for delay in ("0.1", "0.2", "0.4"):
                pool.wait_for(f"retriesAfter={delay} seconds")
            # nginx knows by now that the connections of the dead one are gone.
            load.run(500)
            self.assertEqual(load.faults, [], load.first_faults)
            self.assertEqual(len(pool.workers()), 1)
            aside.rename(pool.secret)
            pool.wait_until_idle(2)
            self.assertServes(pool)

    def test_a_reload_that_cannot_succeed_changes_nothing(self):
        with Cartd(workers=2) as pool:
            before = pool.workers()
            load = self.load(pool)
            aside = pool.secret.rename(pool.folder / "aside")
            self.reload_under_load(pool, load, "reload refused")
            self.assertEqual(pool.workers(), before)
            aside.rename(pool.secret)
            aside = pool.program.rename(pool.folder / "good")
            pool.program.write_text("#!/bin/sh\nexit 3\n")
            pool.program.chmod(0o755)
            self.reload_under_load(pool, load, "reload failed")
            self.assertEqual(pool.workers(), before)
            aside.rename(pool.program)
            self.reload_under_load(pool, load, "reload finished")
            self.assertTrue(set(pool.workers()).isdisjoint(before))
            print(f"\nthree reloads, two of them in vain: {load}", flush=True)
            self.assertEqual(load.faults, [], load.first_faults)
            pool.wait_until_idle(2)

    def reload_under_load(self, pool, load, outcome):
        def reload_once():
            if outcome not in pool.log_text:
                pool.signal(signal.SIGHUP)
                pool.wait_for(outcome)

        with again_and_again(reload_once):
            while outcome not in pool.log_text:
                load.run(50)
        load.run(200)


class Overload(FaultTests):
    def test_a_request_past_its_deadline_is_504_and_its_worker_replaced(self):
        with Cartd(workers=1, gates=True, REQUEST_DEADLINE=1) as pool:
            self.assertServes(pool, 3)
            pool.wait_until_idle()
            pool.redis_gate.hold()
            request, victim = self.occupy(pool)
            answer = request.finish()
            self.assertIsProblem(answer, (504,), "deadline_exceeded")
            self.await_replacement(pool, victim)
            pool.redis_gate.release()
            self.assertServes(pool)
            self.assertEqual(pool.status()["pool"]["deadlinesExceeded"], 1)
            pool.wait_until_idle(1)

    def test_a_full_listen_queue_is_answered_in_json_and_ends(self):
        with Cartd(workers=1, gates=True) as pool:
            self.assertServes(pool, 3)
            workers = pool.workers()
            # The first one has connections that are open already.
            second = pool.add_nginx("second")
            pool.wait_until_idle()
            pool.redis_gate.hold()
            request, _ = self.occupy(pool)
            waiting = []
            while True:
                end = socket.socket(socket.AF_UNIX)
                end.setblocking(False)
                code = end.connect_ex(str(pool.socket))
                if code:
                    break
                waiting.append(end)
            end.close()
            self.assertEqual(code, errno.EAGAIN)
            seen = pool.status()["pool"]
            answers = [second.ask("GET", "/v1/cart") for _ in range(5)]
            pool.redis_gate.release()
            for end in waiting:
                end.close()
            self.assertEqual(seen["listenQueue"], len(waiting))
            for answer in answers:
                self.assertIsProblem(answer, (502, 503), "overloaded")
                self.assertEqual(answer.headers["Retry-After"], "1")
            self.assertEqual(request.finish().status, 200)
            # Those that were given up must be taken out of the queue before it has room.
            wait_until(lambda: pool.status()["pool"]["listenQueue"] == 0, PATIENCE, "the queue is empty")
            print(f"\nafter {len(waiting)} connections that wait: {answers[0].status}", flush=True)
            self.assertServes(pool)
            self.assertEqual(second.ask("GET", "/v1/cart").status, 200)
            self.assertEqual(pool.workers(), workers)
            pool.wait_until_idle(1)

    def test_clients_that_go_away_cost_nobody_anything(self):
        with Cartd(workers=2, gates=True) as pool:
            self.assertServes(pool, 5)
            workers = pool.workers()
            pool.wait_until_idle()
            pool.redis_gate.hold()
            first, busy = self.occupy(pool)
            gone = [first, self.occupy(pool, [busy])[0]] + [add(pool, f"gone-{number}") for number in range(20)]
            stays = add(pool, "stays")
            for request in gone:
                request.abandon()
            pool.redis_gate.release()
            self.assertEqual(stays.finish().status, 200)
            self.assertServes(pool)
            self.assertEqual(pool.workers(), workers)
            pool.wait_until_idle(2)


if __name__ == "__main__":
    unittest.main()
