#!/usr/bin/env python3
"""The exactly-once ledger: each SKU is added once, and ordered, by many shoppers at a time, while everything goes wrong
around them.

Starts a Redis, a PostgreSQL and a cartd of its own. At the end, when all is up and at rest: every acknowledged add is
there exactly once, in a cart or in an order, every refused one nowhere, an unknown one at most once; there is one order
for each key, and stock and what was ordered make what there was; Redis equals PostgreSQL field by field; no version has
gone back; every change is recorded once. What Redis lost with its memory may lack, as far as PostgreSQL did not have it
yet, and what was ordered or merged in a PostgreSQL that was put back to a state before that: nothing else.

Before that, directed schedules: see `schedules.py`. With --long also `mutants.py`. Exits 1 where it is not so.
"""

import argparse
import os
import random
import signal
import sys

import mutants
import schedules
from nemesis import KINDS
from runs import Run, log

SCHEDULES = ("directed", "mixed", "pg-hang", "renumbered", "mutants", "all")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def binaries():
    for configuration in ("release", "debug"):
        folder = os.path.join(ROOT, ".build", configuration)
        if os.path.exists(os.path.join(folder, "cartd")):
            return folder
    sys.exit("build cartd and cartctl first")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, help="of one run (default 20; 60 with --long)")
    parser.add_argument("--seed", type=int, help="default: a random one, which is printed")
    parser.add_argument("--faults", default=",".join(KINDS), help=f"of: {','.join(KINDS)}; 'none' for none")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--carts", type=int, default=6, help="that all clients share")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--schedule", choices=SCHEDULES, default="all")
    parser.add_argument("--long", action="store_true", help="ten runs of a minute, PostgreSQL hung for a minute, mutants")
    parser.add_argument("--binaries", help="folder of cartd and cartctl (default: of the last build)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with data and logs")
    options = parser.parse_args(arguments)
    options.faults = [] if options.faults == "none" else options.faults.split(",")
    for kind in options.faults:
        if kind not in KINDS:
            parser.error(f"no such fault: {kind}")
    options.binaries = options.binaries or binaries()
    options.seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    options.pauses = 3.0 if options.long else 1.5
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runs = []
    if options.schedule in ("mixed", "all"):
        count = 10 if options.long else 1
        runs += [("mixed", options.seed + i, options.seconds or (60 if options.long else 20)) for i in range(count)]
    if options.schedule in ("pg-hang", "all"):
        runs.append(("pg_hang", options.seed, 60 if options.long else 8))
    if options.schedule == "renumbered" or options.schedule == "all" and options.long:
        runs.append(("renumbered", options.seed, 4))
    is_clean = True
    if options.schedule in ("directed", "all"):
        log("--- directed")
        names = [name for name in schedules.SCHEDULES if options.long or name not in schedules.SLOW]
        is_clean = not any(schedules.run(options.binaries, names, log).values())
    for name, seed, seconds in runs:
        log(f"--- {name.replace('_', '-')}")
        run = Run(options, seed, seconds)
        try:
            getattr(run, name)()
        finally:
            run.close()
        is_clean = is_clean and run.finding.is_clean
    if options.schedule == "mutants" or options.schedule == "all" and options.long:
        log("--- mutants")
        is_clean = mutants.run(options.binaries, log=log) and is_clean
    log("every add exactly once" if is_clean else "FAULTS were found")
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
