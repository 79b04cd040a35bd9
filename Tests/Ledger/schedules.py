#!/usr/bin/env python3
"""Directed schedules: what random runs seldom meet. Each watches one rule of the protocol: it holds a request at a named
step, or makes something go wrong there, does something else meanwhile, and looks whether everything is there exactly
once. `mutants.py` shows that each fails where its rule is taken out. Exits 1 where a rule is broken.
"""

import argparse
import sys
import time
import traceback

import clocks
import memory
import rules
import sweeps
from fleet import Fleet, Violation

SCHEDULES = rules.SCHEDULES | sweeps.SCHEDULES | memory.SCHEDULES | clocks.SCHEDULES
# Each time a store has to be started anew.
SLOW = {"order-crashes", "merge-crashes"}
PRODUCTS = 4000
# Of what was wrong, in characters.
MOST_SHOWN = 300


def run(binaries, names=None, log=print):
    """Runs schedules; name → what was wrong, None where nothing was."""
    fleet = Fleet(binaries, PRODUCTS)
    outcomes = {}
    try:
        for name in names or SCHEDULES:
            began = time.monotonic()
            try:
                note = SCHEDULES[name](fleet)
                outcomes[name] = None
                log(f"  {name:<22} holds ({time.monotonic() - began:.1f} s{', ' + note if note else ''})")
            except Exception as error:  # each is a finding, and the others go on
                outcomes[name] = str(error) if isinstance(error, Violation) else traceback.format_exc()
                log(f"  {name:<22} FAULT: {outcomes[name][:MOST_SHOWN]}")
                if fleet.recover() is False:
                    break
        if not any(outcomes.values()):
            try:
                fleet.audit()
            except (Violation, TimeoutError) as error:
                outcomes["at rest"] = str(error)
                log(f"  at rest: FAULT: {error}")
    finally:
        fleet.stop()
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, help="folder of cartd and cartctl")
    parser.add_argument("names", nargs="*", help=f"of: {' '.join(SCHEDULES)}")
    options = parser.parse_args()
    outcomes = run(options.binaries, options.names)
    return 1 if any(outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
