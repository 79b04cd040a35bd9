"""What is done to a shop by its own programs and its stores, and the running instance of `nginx/up`.

CART_TEST_URL says where the instance is, CART_TEST_STATE in what folder; CART_TEST_LONG asks for the full counts.
"""

import itertools
import json
import os
import pathlib
import subprocess
import tempfile
import time

from harness import servers

URL = os.environ.get("CART_TEST_URL", "http://127.0.0.1:8080").rstrip("/")
STATE = os.environ.get("CART_TEST_STATE", ".state")
IS_LONG = bool(os.environ.get("CART_TEST_LONG"))
LINES = "/v1/cart/lines"
PRICE = 100

_numbers = itertools.count(1)


def unique(kind):
    """A name that no other run has used."""
    return f"{kind}-{os.getpid():x}-{time.time_ns():x}-{next(_numbers)}"


def product(sku, **more):
    return {"sku": sku, "name": sku, "unitPrice": PRICE, "currency": "GBP"} | more


def quantities(cart):
    """SKU → quantity."""
    return {line["sku"]: line["quantity"] for line in cart["lines"]}


class Shop:
    """Whoever is one has `binaries`, the folder of `cartd` and `cartctl`, and `variables`, the environment of both."""

    def run_cartctl(self, *arguments, **variables):
        """What became of a command, whatever that is."""
        return subprocess.run(
            [os.path.join(self.binaries, "cartctl"), *map(str, arguments)], env=self.variables | variables,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip

    def cartctl(self, *arguments):
        done = self.run_cartctl(*arguments)
        if done.returncode:
            raise RuntimeError(f"cartctl {arguments[0]}: {done.stderr}")
        return done.stdout

    def run_import(self, products, **variables):
        """What became of an import of these products, each a dictionary."""
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as file:
            file.writelines(json.dumps(one) + "\n" for one in products)
            file.flush()
            return self.run_cartctl("catalog", "import", file.name, **variables)

    def import_products(self, products):
        done = self.run_import(products)
        if done.returncode:
            raise RuntimeError(f"cartctl catalog import: {done.stderr}")

    def psql(self, sql):
        """The answer of PostgreSQL, as text."""
        return servers.psql(self.variables["CART_DATABASE"], sql).strip()


class Instance(Shop):
    """A running `nginx/up`, whose files lie under `state`; its `env` file is read as a shell does."""

    def __init__(self, state=STATE, **variables):
        self.state = pathlib.Path(state)
        self.binaries = self.state / "bin"
        script = 'set -a; . "$0"; env -0'
        text = subprocess.run(["/bin/sh", "-c", script, self.state / "env"], check=True, capture_output=True).stdout
        self.variables = dict(entry.decode().split("=", 1) for entry in text.split(b"\0") if b"=" in entry) | variables
