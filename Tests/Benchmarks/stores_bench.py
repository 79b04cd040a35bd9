#!/usr/bin/env python3
"""What many carts cost in Redis, how fast they come back from PostgreSQL, and how far PostgreSQL is behind.

Starts an `nginx/up` of its own, fills carts through cartd's socket while the syncer is stopped, lets the syncer catch up,
puts load on it, empties Redis and rebuilds it. Prints one table.
"""

import argparse
import contextlib
import multiprocessing
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from harness import wire
from harness.processes import children_with
from systems import Shop

PRODUCTS = 1_000
LINES = 5
MILLION = 1_000_000


def lines_of(number):
    return [{"sku": f"p{(number * LINES + line) % PRODUCTS}", "quantity": 1 + line} for line in range(LINES)]


def add(socket, user, lines):
    answer = wire.request(socket, "POST", "/v1/cart/lines", {"lines": lines}, CART_USER=user)
    if answer.status != 200:
        raise SystemExit(f"an add was answered with {answer.status}: {answer.json}")


def fill(socket, first, last):
    for number in range(first, last):
        add(socket, f"cart{number}", lines_of(number))


def load(socket, name, carts, end, count):
    """Adds to carts in turns until it is told to end; counts into shared memory."""
    number = 0
    while not end.is_set():
        add(socket, f"{name}-{number % carts}", [{"sku": f"p{number % PRODUCTS}"}])
        number += 1
        count.value = number


def in_parallel(processes, target, arguments):
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=target, args=arguments(number)) for number in range(processes)]
    for child in children:
        child.start()
    return children


def join(children):
    for child in children:
        child.join()
        if child.exitcode:
            raise SystemExit("a client has failed")


class Query:
    """A psql that stays: one question, one line of answer."""

    def __init__(self, variables):
        self.process = subprocess.Popen(
            ["psql", "-XqAt", "-d", variables["CART_DATABASE"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self("SELECT 1; SET search_path TO " + variables.get("CART_SCHEMA", "cart"))

    def __call__(self, sql):
        self.process.stdin.write(sql + ";\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Measurement:
    def __init__(self, shop, options):
        self.shop = shop
        self.options = options
        self.socket = shop.variables["CART_LISTEN"].removeprefix("unix:")
        self.rows = []

    def note(self, what, value):
        self.rows.append((what, value))
        print(f"  {what}: {value}", file=sys.stderr, flush=True)

    def used(self):
        return int(re.search(r"^used_memory:(\d+)", self.shop.redis_command("INFO", "memory"), re.MULTILINE)[1])

    def syncer(self):
        return children_with(self.shop.master, "--syncer")[0]

    def wait_for_rest(self):
        while self.shop.redis_command("XLEN", "cart:stream") != "0" or self.shop.redis_command("ZCARD", "cart:dirty") != "0":
            time.sleep(0.02)

    def backlog(self):
        """Memory and the way to PostgreSQL of carts that were all filled while nobody kept them."""
        carts, clients = self.options.carts, self.options.clients
        self.wait_for_rest()
        before = self.used()
        # The master would start another one.
        stopped = [self.shop.master, self.syncer()]
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            bounds = [carts * number // clients for number in range(clients + 1)]
            join(in_parallel(clients, fill, lambda number: (self.socket, bounds[number], bounds[number + 1])))
            filled = time.monotonic() - started
            waiting = self.used()
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)
        started = time.monotonic()
        self.wait_for_rest()
        drained = time.monotonic() - started
        kept = self.used() - before
        self.note(f"carts of {LINES} lines", f"{carts:,}")
        self.note("filled", f"{carts / filled:,.0f} carts/s by {clients} clients")
        self.note("Redis memory", f"{kept / 1e6:.1f} MB, {kept / carts:.0f} bytes a cart")
        self.note("and a change that waits for PostgreSQL", f"{(waiting - before - kept) / carts:.0f} bytes")
        self.note("backlog drained", f"{carts / drained:,.0f} changes/s, each of {LINES} lines")

    def lag(self):
        """From the answer to an add until PostgreSQL has the cart, while others add as fast as they can."""
        context = multiprocessing.get_context("fork")
        end = context.Event()
        counts = [context.Value("q", 0) for _ in range(self.options.clients)]
        children = in_parallel(
            self.options.clients, load,
            lambda number: (self.socket, f"load{number}", 1_000, end, counts[number]),
        )  # fmt: skip
        query, times, started = Query(self.shop.variables), [], time.monotonic()
        while time.monotonic() - started < self.options.seconds:
            user = f"sample{len(times)}"
            add(self.socket, user, lines_of(len(times)))
            answered = time.monotonic()
            while query(f"SELECT count(*) FROM carts WHERE owner_kind = 'user' AND owner_id = '{user}' AND version > 0") == "0":
                time.sleep(0.001)
            times.append((time.monotonic() - answered) * 1000)
        elapsed = time.monotonic() - started
        end.set()
        join(children)
        query.close()
        times.sort()
        self.note("load", f"{sum(count.value for count in counts) / elapsed:,.0f} changes/s by {self.options.clients} clients")
        self.note("sync lag", f"p50 {times[len(times) // 2]:.0f} ms, p99 {times[len(times) * 99 // 100]:.0f} ms,"
                  f" most {times[-1]:.0f} ms, of {len(times)}")  # fmt: skip

    def rebuild(self):
        self.wait_for_rest()
        carts = int(self.shop.redis_command("EVAL", "return #redis.call('KEYS', 'cart:user:*')", 0))
        self.shop.redis_command("FLUSHALL")
        started = time.monotonic()
        self.shop.cartctl("rebuild")
        seconds = time.monotonic() - started
        back = int(self.shop.redis_command("EVAL", "return #redis.call('KEYS', 'cart:user:*')", 0))
        if back != carts:
            raise SystemExit(f"{back} of {carts} carts have come back")
        self.note("rebuilt after FLUSHALL", f"{carts:,} carts in {seconds:.1f} s, {carts / seconds:,.0f} carts/s")
        self.note("which makes for a million", f"{MILLION / carts * seconds:.0f} s")
        started = time.monotonic()
        self.wait_for_rest()
        self.note("and compared by the syncer after", f"{time.monotonic() - started:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--carts", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=2, help="processes that fill and load")
    parser.add_argument("--seconds", type=float, default=10, help="of load while the lag is measured")
    parser.add_argument("--workers", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cart-stores-") as folder, contextlib.ExitStack() as ending:
        os.chmod(folder, 0o711)
        shop = Shop(pathlib.Path(folder), options.workers, ending)
        catalogue = pathlib.Path(folder) / "catalog.ndjson"
        catalogue.write_text("".join(
            f'{{"sku":"p{number}","name":"Product {number}","unitPrice":100,"currency":"GBP"}}\n' for number in range(PRODUCTS)
        ))  # fmt: skip
        shop.cartctl("catalog", "import", catalogue)
        measurement = Measurement(shop, options)
        measurement.backlog()
        measurement.lag()
        measurement.rebuild()
    width = max(len(what) for what, _ in measurement.rows)
    print("\n".join(f"| {what:<{width}} | {value} |" for what, value in measurement.rows))


if __name__ == "__main__":
    main()
