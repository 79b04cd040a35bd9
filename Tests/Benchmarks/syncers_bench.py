#!/usr/bin/env python3
"""How much faster two syncers work off a backlog than one, when PostgreSQL is some milliseconds away.

Starts a Redis, a PostgreSQL and workers of cartd of its own. Fills carts while no syncer runs; then one or two syncers,
in turns, take them to PostgreSQL through a proxy that delays what it carries in each direction. Prints one table.
"""

import argparse
import contextlib
import os
import queue
import socket
import statistics
import sys
import tempfile
import threading
import time

from stores_bench import LINES, PRODUCTS, fill, in_parallel, join

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Ledger"))
import wire  # noqa: E402
from ledger import binaries  # noqa: E402
from servers import ROLE, System, end, wait_until  # noqa: E402

# Of one backlog, in seconds.
PATIENCE = 600


class Distance:
    """What lies before PostgreSQL: everything arrives so many milliseconds later, as over a network of any width."""

    def __init__(self, folder, target):
        self.folder, self.target, self.milliseconds = folder, target, 0.0
        os.mkdir(folder, 0o711)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            for source, sink in ((near, far), (far, near)):
                under_way = queue.SimpleQueue()
                threading.Thread(target=self.take, args=(source, under_way), daemon=True).start()
                threading.Thread(target=self.deliver, args=(under_way, sink), daemon=True).start()

    def take(self, source, under_way):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                under_way.put((time.monotonic() + self.milliseconds / 1000, data))
        under_way.put((0, b""))

    def deliver(self, under_way, sink):
        with contextlib.suppress(OSError):
            while True:
                at, data = under_way.get()
                if not data:
                    break
                time.sleep(max(0, at - time.monotonic()))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


class Bench(System):
    def __init__(self, folder, options):
        super().__init__(folder, options.binaries, 1, 0)
        self.options = options
        catalogue = os.path.join(folder, "catalog.ndjson")
        with open(catalogue, "w", encoding="utf-8") as file:
            for number in range(PRODUCTS):
                file.write(f'{{"sku":"p{number}","name":"Product {number}","unitPrice":100,"currency":"GBP"}}\n')
        self.cartctl("catalog", "import", catalogue)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.listen)
        listener.listen(64)
        self.environment |= self.stores()
        self.others = [self._cartd("--worker", stdin=listener) for _ in range(options.clients)]
        self.distance = Distance(os.path.join(folder, "distance"), os.path.join(self.postgres.folder, ".s.PGSQL.5432"))

    def fill(self):
        """Changes every cart once, five lines of it."""
        carts, clients = self.options.carts, self.options.clients
        bounds = [carts * number // clients for number in range(clients + 1)]
        join(in_parallel(clients, fill, lambda number: (self.listen, bounds[number], bounds[number + 1])))

    def drain(self, syncers, milliseconds):
        """Carts and changes a second until PostgreSQL has all of them."""
        self.fill()
        self.distance.milliseconds = milliseconds / 2
        database = f"host={self.distance.folder} port=5432 user={ROLE} dbname={ROLE}"
        times = {}
        with wire.Redis(self.redis.socket) as redis:
            changes, carts = redis("XLEN", "cart:stream"), redis("ZCARD", "cart:dirty")
            started = time.monotonic()
            running = [self._cartd("--syncer", CART_DATABASE=database) for _ in range(syncers)]
            try:
                def is_through():
                    time.sleep(0.02)
                    for name, left in (("carts", redis("ZCARD", "cart:dirty")), ("changes", redis("XLEN", "cart:stream"))):
                        if not left:
                            times.setdefault(name, time.monotonic() - started)
                    return len(times) == 2

                wait_until(is_through, PATIENCE, "the backlog")
            finally:
                for process in running:
                    end(process)
        return carts / times["carts"], changes / times["changes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--carts", type=int, default=20_000, help=f"of {LINES} lines")
    parser.add_argument("--round-trips", type=float, nargs="+", default=[0, 2, 10], help="to PostgreSQL, in milliseconds")
    parser.add_argument("--rounds", type=int, default=2, help="pairs of one and two syncers for each of them")
    parser.add_argument("--clients", type=int, default=2, help="processes that fill")
    parser.add_argument("--binaries", help="folder of cartd and cartctl (default: of the last build)")
    options = parser.parse_args()
    options.binaries = options.binaries or binaries()
    rows = ["| round trip | carts/s, one syncer | two | | changes/s recorded, one syncer | two | |", "|" + "---|" * 7]
    with tempfile.TemporaryDirectory(prefix="cart-syncers-") as folder, contextlib.ExitStack() as ending:
        os.chmod(folder, 0o711)
        bench = Bench(folder, options)
        ending.callback(bench.stop)
        # The rows are made, which takes longer than to write them anew.
        bench.drain(1, 0)
        for milliseconds in options.round_trips:
            found = {1: [], 2: []}
            for number in range(options.rounds):
                for syncers in ((1, 2), (2, 1))[number % 2]:
                    found[syncers].append(bench.drain(syncers, milliseconds))
                    print(f"  {milliseconds:g} ms, {syncers}: {found[syncers][-1][0]:,.0f} carts/s,"
                          f" {found[syncers][-1][1]:,.0f} changes/s", file=sys.stderr, flush=True)  # fmt: skip
            cells = [f"{milliseconds:g} ms"]
            for what in range(2):
                one, two = ([turn[what] for turn in found[syncers]] for syncers in (1, 2))
                factor = statistics.median(second / first for first, second in zip(one, two))
                cells += [f"{statistics.median(one):,.0f}", f"{statistics.median(two):,.0f}", f"{factor:.2f}×"]
            rows.append("| " + " | ".join(cells) + " |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
