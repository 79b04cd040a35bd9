"""Shared hosting: two shops on one Redis and one PostgreSQL, each as a user with no more rights than the README says."""

import json
import re
import socket
import subprocess
import tempfile
import types
import unittest
import urllib.parse

import pool_system
from identity_tests import Production
from pool_system import Cartd, Products, psql

README = pool_system.ROOT / "README.md"


def documented_rights():
    """The commands that the README lists, as rules of Redis's access control list."""
    text = README.read_text()
    listed = re.search(r"Redis rights, for a user of its own: `([^`]+)`", text)[1]
    names = [name for name in listed.split() if name != "AUTH"]
    return ["+" + name.lower() for name in [*names, "INFO", "AUTH"]]


class Shop:
    """One shop: a Redis user, a prefix and a schema, and the variables that say so."""

    def __init__(self, pool, name, price):
        self.name = name
        password = pool.folder / f"{name}.password"
        password.write_text(f"secret of {name}\n")
        password.chmod(0o600)
        rules = ["reset", "on", f">secret of {name}", f"~{name}:*", "-@all", *documented_rights()]
        pool.ask_redis("ACL", "SETUSER", name, *rules)
        self.settings = {
            "REDIS_USER": name, "REDIS_PASSWORD_FILE": password, "REDIS_PREFIX": f"{name}:", "SCHEMA": f"shop_{name}",
            "REDIS": f"unix:{pool.folder}/redis.sock",
        }
        self.variables = pool_system.own_variables() | {
            f"CART_{key}": str(value) for key, value in self.settings.items()
        }
        self.cartctl("migrate")
        psql(f"TRUNCATE shop_{name}.carts, shop_{name}.cart_inbox, shop_{name}.cart_events, shop_{name}.cart_merges")
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
            file.write(json.dumps({"sku": "same", "name": name, "unitPrice": price, "currency": "GBP"}) + "\n")
            file.flush()
            self.cartctl("catalog", "import", file.name)

    def cartctl(self, *arguments):
        command = [pool_system.STATE / "bin" / "cartctl", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.variables, check=True).stdout


class SharedHosting(unittest.TestCase):
    def test_two_shops_do_not_see_each_other(self):
        with Cartd(workers=1) as host:
            shops = [Shop(host, "red", 100), Shop(host, "blue", 250)]
            for shop in shops:
                self.enterContext(self.running(host, shop))
            for shop in shops:
                answer = shop.pool.nginx.ask("POST", "/v1/cart/lines", {"sku": "same"}, Cookie="demoUser=ada")
                self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual([self.cart(shop)["totals"]["all"] for shop in shops], [100, 250])
            self.assertEqual([self.cart(shop)["lines"][0]["snapshot"]["name"] for shop in shops], ["red", "blue"])
            shops[0].pool.nginx.ask("DELETE", "/v1/cart", Cookie="demoUser=ada")
            self.assertEqual([len(self.cart(shop)["lines"]) for shop in shops], [0, 1])
            self.check_rest(host, shops)

    def running(self, host, shop):
        shop.pool = Cartd(workers=2, **shop.settings)
        return shop.pool

    @staticmethod
    def cart(shop):
        return json.loads(shop.pool.nginx.ask("GET", "/v1/cart", Cookie="demoUser=ada").body)

    def check_rest(self, host, shops):
        """Login, persistence, a lost Redis and the operator's commands, with these rights."""
        for shop in shops:
            nginx = shop.pool.nginx
            guest = nginx.ask("POST", "/v1/cart/lines", {"sku": "same", "quantity": 3}).headers["Guest-Cart-Id"]
            merged = nginx.ask("GET", "/v1/cart", Cookie=f"demoUser=bob; guestCartId={guest}")
            self.assertEqual(json.loads(merged.body)["merge"]["lines"][0]["outcome"], "added")
            self.assertEqual(nginx.ask("POST", "/v1/cart/sync", Cookie="demoUser=bob").status, 200)
            self.assertEqual(host.ask_redis("DEL", f"{shop.name}:cart:user:bob"), "1")
            again = json.loads(nginx.ask("GET", "/v1/cart", Cookie="demoUser=bob").body)
            self.assertEqual((again["version"], again["counts"]["quantity"]), (1_000_000, 3))
            self.assertIn("bob", shop.cartctl("show", "user:bob"))
            self.assertNotIn("failure", shop.cartctl("status"))
            check = subprocess.run([shop.pool.program, "--check"], capture_output=True, text=True,
                                   env=shop.pool.variables)
            self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        names = host.ask_redis("KEYS", "*").split()
        self.assertTrue(all(name.startswith(("red:", "blue:", "pool:")) for name in names), names)
        kinds = psql("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        self.assertEqual(kinds, "f")


class SubFolder(unittest.TestCase):
    """A shop below /shop, with the files of production changed as cartd.conf says."""

    def test_a_shop_may_live_in_one(self):
        sku = "odd/v1/100% +\u00e9.html"
        path = "/shop/v1/cart/lines/" + urllib.parse.quote(sku, safe="")
        Products.load([{"sku": sku, "name": "Odd", "unitPrice": 100, "currency": "GBP"}])
        with Cartd(workers=1, BASE_PATH="/shop") as pool:
            nginx = Production(pool, base="/shop")
            answer = nginx.ask("POST", "/shop/v1/cart/lines", {"sku": sku})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertIn("; Path=/;", answer.headers["Set-Cookie"])
            guest = ("Guest-Cart-Id", answer.headers["Guest-Cart-Id"])
            answer = nginx.ask("PATCH", path, {"quantity": 2}, guest)
            self.assertEqual(json.loads(answer.body)["counts"]["quantity"], 2, answer.body)
            order = nginx.ask("POST", "/shop/v1/orders", {"expectedTotal": 200}, guest, ("Idempotency-Key", "one"))
            self.assertEqual(order.status, 201, order.body)
            self.assertEqual(order.headers["Location"], "/shop/v1/orders/" + json.loads(order.body)["id"])
            self.assertEqual(nginx.ask("GET", order.headers["Location"], None, guest).status, 200)
            for wrong in ("/v1/cart", "/shop/shop/v1/cart", "/shop/v1", "/shop/v1/", "/shop/cart", "/shopv1/cart"):
                self.assertEqual(nginx.ask("GET", wrong, None, guest).status, 404, wrong)


class OddIdentities(unittest.TestCase):
    """Ids that look like keys, patterns or escapes: none meets another, none leaves its key."""

    NAMES = [
        "a", "A", "a ", " a", "a:b", "a%3Ab", "a%3ab", "{a}", "a}b{c", "%7Ba%7D", "100%", "%", "%25", "*", "a*", "[a]",
        "user:a", "cart:user:a", "'; DROP TABLE carts; --", '"quoted"', "back\\slash", "\u00e9", "e\u0301", "\u65e5\u672c",
        "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\U0001f6d2", "x" * 128, "x" * 127 + "y", "null", "0", "-1",
    ]

    def test_each_has_a_cart_of_its_own(self):
        with Cartd(workers=2) as pool:
            sku = pool_system.Products.sku()
            for number, name in enumerate(self.NAMES, 1):
                answer = self.ask(pool, name, "POST", "/v1/cart/lines", {"sku": sku, "quantity": number})
                self.assertEqual((answer.status, json.loads(answer.body)["version"]), (200, 1), name)
            for number, name in enumerate(self.NAMES, 1):
                self.assertEqual(self.ask(pool, name, "POST", "/v1/cart/sync").status, 200, name)
                cart = json.loads(self.ask(pool, name, "GET", "/v1/cart").body)
                self.assertEqual(cart["counts"]["quantity"], number, name)
            pool.ask_redis("FLUSHALL")
            for number, name in enumerate(self.NAMES, 1):
                cart = json.loads(self.ask(pool, name, "GET", "/v1/cart").body)
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (1_000_000, number), name)
            keys = [key for key in pool.ask_redis("--raw", "KEYS", "pool:cart:user:*").splitlines() if key]
            self.assertEqual(len(keys), len(self.NAMES))
            self.assertEqual(psql("SELECT count(*) FROM cart_pool.carts"), str(len(self.NAMES)))

    @staticmethod
    def ask(pool, name, method, path, body=None):
        """The pool itself is asked, since no cookie could carry some of these names."""
        return FastCGI(pool.socket).ask(method, path, body, CART_USER=name)


class FastCGI:
    """One request to a FastCGI application (specification 1.0), as the web server sends it."""

    def __init__(self, path):
        self.path = str(path)

    def ask(self, method, path, body, **params):
        payload = b"" if body is None else json.dumps(body).encode()
        fields = {"REQUEST_METHOD": method, "REQUEST_URI": path, "CONTENT_LENGTH": str(len(payload)), **params}
        if payload:
            fields["CONTENT_TYPE"] = "application/json"
        pairs = b"".join(self.pair(name, value.encode()) for name, value in fields.items())
        records = [(1, b"\0\1\0\0\0\0\0\0"), (4, pairs), (4, b"")] + ([(5, payload)] if payload else []) + [(5, b"")]
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(b"".join(self.record(kind, content) for kind, content in records))
            data = b""
            while more := connection.recv(65536):
                data += more
        return self.answer(data)

    @staticmethod
    def pair(name, value):
        def length(number):
            return bytes([number]) if number < 128 else (number | 1 << 31).to_bytes(4, "big")

        return length(len(name)) + length(len(value)) + name.encode() + value

    @staticmethod
    def record(kind, content):
        return bytes([1, kind, 0, 1]) + len(content).to_bytes(2, "big") + b"\0\0" + content

    @staticmethod
    def answer(data):
        output = b""
        while data:
            kind, size, padding = data[1], int.from_bytes(data[4:6], "big"), data[6]
            if kind == 6:
                output += data[8:8 + size]
            data = data[8 + size + padding:]
        head, _, body = output.partition(b"\r\n\r\n")
        status = re.search(rb"^Status: (\d+)", head, re.M)
        return types.SimpleNamespace(status=int(status[1]) if status else 200, body=body)


if __name__ == "__main__":
    unittest.main()
