#!/usr/bin/env python3
"""Runs a Redis and a PostgreSQL under a folder until it is ended, and prints the variables by which tests of the stores
know them once both are there, a line each."""

import argparse
import pathlib
import signal
import sys

from harness.servers import PostgresServer, RedisServer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="is made; PostgreSQL's account must reach it")
    folder = parser.parse_args().folder
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    folder.mkdir(mode=0o711)
    with RedisServer(folder / "redis", keeps=False) as redis:
        postgres = PostgresServer(folder / "postgres")
        try:
            print(f"CART_TEST_REDIS=unix:{redis.socket}")
            print(f"CART_TEST_DATABASE={postgres.database('postgres', 'postgres')}", flush=True)
            signal.pause()
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
