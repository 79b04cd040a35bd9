"""Shared hosting: two shops on one Redis and one PostgreSQL, each as a user with no more rights than the README says."""

import re
import unittest

import harness.shop
from harness import wire
from harness.pool import Cartd, Products, forget_carts, instance
from harness.servers import ROOT
from harness.shop import LINES, product
from harness.web import line_path
from production import Production

README = ROOT / "README.md"


def documented_rights():
    """The commands that the README lists, as rules of Redis's access control list."""
    text = README.read_text()
    listed = re.search(r"Redis rights, for a user of its own: `([^`]+)`", text)[1]
    names = [name for name in listed.split() if name != "AUTH"]
    return ["+" + name.lower() for name in [*names, "INFO", "AUTH"]]


class Shop(harness.shop.Shop):
    """One shop: a Redis user, a prefix and a schema, and the variables that say so."""

    def __init__(self, host, name, price):
        self.name = name
        password = host.folder / f"{name}.password"
        password.write_text(f"secret of {name}\n")
        password.chmod(0o600)
        rules = ["reset", "on", f">secret of {name}", f"~{name}:*", "-@all", *documented_rights()]
        host.redis.ask("ACL", "SETUSER", name, *rules)
        self.settings = {
            "REDIS_USER": name, "REDIS_PASSWORD_FILE": password, "REDIS_PREFIX": f"{name}:", "SCHEMA": f"shop_{name}",
            "REDIS": f"unix:{host.redis.socket}",
        }  # fmt: skip
        self.binaries = host.binaries
        self.variables = instance().variables | {f"CART_{key}": str(value) for key, value in self.settings.items()}
        self.cartctl("migrate")
        forget_carts(self)
        self.import_products([product("same", name=name, unitPrice=price)])


class SharedHosting(unittest.TestCase):
    def test_two_shops_do_not_see_each_other(self):
        with Cartd(workers=1) as host:
            shops = [Shop(host, "red", 100), Shop(host, "blue", 250)]
            for shop in shops:
                self.enterContext(self.running(host, shop))
            for shop in shops:
                answer = shop.pool.nginx.ask("POST", LINES, {"sku": "same"}, user="ada")
                self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual([self.cart(shop)["totals"]["all"] for shop in shops], [100, 250])
            self.assertEqual([self.cart(shop)["lines"][0]["snapshot"]["name"] for shop in shops], ["red", "blue"])
            shops[0].pool.nginx.ask("DELETE", "/v1/cart", user="ada")
            self.assertEqual([len(self.cart(shop)["lines"]) for shop in shops], [0, 1])
            self.check_rest(host, shops)

    def running(self, host, shop):
        shop.pool = Cartd(workers=2, **shop.settings)
        return shop.pool

    @staticmethod
    def cart(shop):
        return shop.pool.nginx.ask("GET", "/v1/cart", user="ada").json

    def check_rest(self, host, shops):
        """Login, persistence, a lost Redis and the operator's commands, with these rights."""
        for shop in shops:
            nginx = shop.pool.nginx
            guest = nginx.ask("POST", LINES, {"sku": "same", "quantity": 3}).headers["Guest-Cart-Id"]
            merged = nginx.ask("GET", "/v1/cart", user="bob", guest=guest)
            self.assertEqual(merged.json["merge"]["lines"][0]["outcome"], "added")
            self.assertEqual(nginx.ask("POST", "/v1/cart/sync", user="bob").status, 200)
            self.assertEqual(host.redis.ask("DEL", f"{shop.name}:cart:user:bob"), 1)
            again = nginx.ask("GET", "/v1/cart", user="bob").json
            self.assertEqual((again["version"], again["counts"]["quantity"]), (1_000_000, 3))
            self.assertIn("bob", shop.cartctl("show", "user:bob"))
            self.assertNotIn("failure", shop.cartctl("status"))
            check = shop.pool.check()
            self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        names = host.redis.ask("KEYS", "*")
        self.assertTrue(all(name.startswith(("red:", "blue:", "pool:")) for name in names), names)
        kinds = instance().psql("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        self.assertEqual(kinds, "f")


class SubFolder(unittest.TestCase):
    """A shop below /shop, with the files of production changed as cartd.conf says."""

    def test_a_shop_may_live_in_one(self):
        sku = "odd/v1/100% +\u00e9.html"
        path = "/shop" + line_path(sku)
        Products.load([product(sku)])
        with Cartd(workers=1, BASE_PATH="/shop") as pool:
            nginx = Production(pool, base="/shop")
            answer = nginx.ask("POST", "/shop/v1/cart/lines", {"sku": sku})
            self.assertEqual(answer.status, 200, answer.body)
            self.assertIn("; Path=/;", answer.headers["Set-Cookie"])
            guest = ("Guest-Cart-Id", answer.headers["Guest-Cart-Id"])
            answer = nginx.ask("PATCH", path, {"quantity": 2}, guest)
            self.assertEqual(answer.json["counts"]["quantity"], 2, answer.body)
            order = nginx.ask("POST", "/shop/v1/orders", {"expectedTotal": 200}, guest, ("Idempotency-Key", "one"))
            self.assertEqual(order.status, 201, order.body)
            self.assertEqual(order.headers["Location"], "/shop/v1/orders/" + order.json["id"])
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
            sku = Products.sku()
            for number, name in enumerate(self.NAMES, 1):
                answer = self.ask(pool, name, "POST", LINES, {"sku": sku, "quantity": number})
                self.assertEqual((answer.status, answer.json["version"]), (200, 1), name)
            for number, name in enumerate(self.NAMES, 1):
                self.assertEqual(self.ask(pool, name, "POST", "/v1/cart/sync").status, 200, name)
                cart = self.ask(pool, name, "GET", "/v1/cart").json
                self.assertEqual(cart["counts"]["quantity"], number, name)
            pool.redis.ask("FLUSHALL")
            for number, name in enumerate(self.NAMES, 1):
                cart = self.ask(pool, name, "GET", "/v1/cart").json
                self.assertEqual((cart["version"], cart["counts"]["quantity"]), (1_000_000, number), name)
            self.assertEqual(len(pool.redis.ask("KEYS", "pool:cart:user:*")), len(self.NAMES))
            self.assertEqual(instance().psql("SELECT count(*) FROM cart_pool.carts"), str(len(self.NAMES)))

    @staticmethod
    def ask(pool, name, method, path, body=None):
        """The pool itself is asked, since no cookie could carry some of these names."""
        return wire.request(str(pool.socket), method, path, body, CART_USER=name)


if __name__ == "__main__":
    unittest.main()
