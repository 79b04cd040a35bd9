#!/usr/bin/env python3
"""Measures cartd against a bare cart in C and one in PHP, behind one nginx, in one run. See README.md beside this."""

import sys

sys.dont_write_bytecode = True

import argparse
import contextlib
import json
import pathlib
import random
import shutil
import signal
import statistics
import tempfile
import time

import picture
import report
from harness.processes import private_bytes
from measure import Bench, Cell, fill
from systems import missing_programs, start_all

FULL = {"lines": (1, 20, 200), "connections": (8, 32, 64), "rounds": 5, "seconds": 2}
QUICK = {"lines": (20,), "connections": (8,), "rounds": 3, "seconds": 1}


def options():
    parser = argparse.ArgumentParser(description="Measures cartd against bare carts in C and PHP, behind one nginx.")
    parser.add_argument("--quick", action="store_true", help="one size, one concurrency, rounds of a second: a minute")
    parser.add_argument("--rounds", type=int, choices=range(1, 101), metavar="N", help="of each cell")
    # A line holds at most a million pieces.
    parser.add_argument("--seconds", type=int, choices=range(1, 21), metavar="S", help="of each turn, up to 20")
    parser.add_argument("--lines", type=int, nargs="+", choices=range(1, 2001), metavar="N", help="sizes of carts")
    parser.add_argument("--connections", type=int, nargs="+", choices=range(1, 513), metavar="N", help="of the client")
    parser.add_argument("--workers", type=int, default=8, choices=range(1, 65), metavar="N", help="of each system (8)")
    parser.add_argument("--starving", action="store_true", help="measure also what starves (README.md)")
    parser.add_argument("--seed", type=int, help="of the order of turns; one by chance, and printed")
    parser.add_argument("--out", type=pathlib.Path, help="folder for results.md, .json and .svg (a temporary one)")
    chosen = parser.parse_args()
    for name, value in (QUICK if chosen.quick else FULL).items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, value)
    if chosen.seed is None:
        chosen.seed = random.randrange(1_000_000)
    return chosen


def main():
    chosen = options()
    if missing := missing_programs():
        sys.exit(f"missing: {', '.join(missing)}. For all that is needed: apt-get install wrk gcc nginx redis-server "
                 "libfcgi-dev libhiredis-dev libjansson-dev")
    # So that an end from outside, too, stops what was started.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with contextlib.ExitStack() as ending:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="cart-bench-"))
        ending.callback(shutil.rmtree, folder)
        results = run(chosen, folder, ending)
    out = chosen.out or pathlib.Path(tempfile.mkdtemp(prefix="cart-bench-results-"))
    out.mkdir(parents=True, exist_ok=True)
    text = report.markdown(results)
    (out / "results.md").write_text(text)
    (out / "results.json").write_text(json.dumps(report.plain(results), indent=1) + "\n")
    (out / "results.svg").write_text(picture.svg(results))
    print(f"\n{text}\nresults.md, results.json and results.svg are in {out}")


def run(chosen, folder, ending):
    machine = report.machine()
    if machine["load"] > machine["cores"] / 4:
        print(f"the machine is busy with other work (load {machine['load']:.1f}): rates will say little", flush=True)
    print("starting everything (a first run builds cartd)", flush=True)
    shop, nginx, systems = start_all(folder, chosen.workers, ending)
    for system in systems.values():
        if len(system.workers) != chosen.workers:
            sys.exit(f"{system.name} has {len(system.workers)} workers, not {chosen.workers}")
    fill(shop, systems, chosen.lines)
    started = time.monotonic()
    cells = [Cell(kind, lines, connections) for kind in ("GET", "add") for lines in chosen.lines
             for connections in chosen.connections]
    print(f"{len(cells)} cells, {chosen.rounds} rounds of {chosen.seconds} s, seed {chosen.seed}", flush=True)
    bench = Bench(shop, nginx, systems, chosen)
    for number, cell in enumerate(cells, 1):
        bench.measure(cell)
        ratio = statistics.median(cell.ratios("cartd_kept"))
        print(f"{number}/{len(cells)}  {cell.kind}, {cell.lines} lines, {cell.connections} connections:"
              f" cartd, kept, is {ratio:.2f} of C  ({time.monotonic() - started:.0f} s)", flush=True)
    return {
        "settings": {name: getattr(chosen, name)
                     for name in ("rounds", "seconds", "workers", "seed", "lines", "connections")},
        "machine": machine,
        "cells": cells,
        "memory": {name: {"workers": kilobytes(system.workers), "others": kilobytes(system.others)}
                   for name, system in systems.items()},
        "redis_bytes": report.redis_bytes(shop, chosen.lines),
        "start_seconds": shop.seconds_to_start(folder, nginx.urls["starting"]),
    }


def kilobytes(pids):
    """Of memory that each process shares with no other. Without any it has ended, which is the end of this one, too."""
    used = sorted(private_bytes(pid) // 1024 for pid in pids)
    if 0 in used:
        sys.exit("a process did not live until the end")
    return used


if __name__ == "__main__":
    main()
