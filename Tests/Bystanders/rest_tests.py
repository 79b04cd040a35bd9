"""The rest of what was found: retry keys after a login, what grows without bound, a popular key, a doctor who worries."""

import json
import statistics
import time
import unittest

from harness.processes import wait_until
from harness.shop import IS_LONG, PRICE
from shop import Shop

# Of a syncer's start to the end of what it clears away in a small shop.
CLEARED_WITHIN = 60


class RestTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = Shop()
        cls.addClassCleanup(cls.shop.close)

    def test_a_login_leaves_the_keys_of_the_user(self):
        shop = self.shop
        user = "ring"
        shop.add("p0", user=user, key="unanswered")
        guest = None
        for number in range(16):
            guest = shop.add(f"p{number + 1}", guest=guest, key=f"guest {number}").headers.get("guest-cart-id") or guest
        shop.must("GET", "/v1/cart", user=user, guest=guest)
        again = shop.add("p0", user=user, key="unanswered")
        self.assertTrue(again.is_replayed, "the user's key is forgotten")
        self.assertEqual(shop.lines(user=user)["p0"], 1)
        # The guest's newest as well.
        self.assertTrue(shop.add("p16", user=user, key="guest 15").is_replayed, "the guest's key is forgotten")
        self.assertEqual(shop.lines(user=user)["p16"], 1)

    def test_revisions_that_nobody_shows_are_forgotten(self):
        shop = self.shop
        skus = {f"p{number}": None for number in range(1000, 1500)}
        # What a cart was made with stays.
        for number in range(1000, 1010):
            shop.add(f"p{number}", user=f"keeper-{number}")
        for price in (1, 2, 3):
            self.assertEqual(shop.offer(skus, price=PRICE + price), 0)
        kept = {}
        for number in range(1000, 1010):
            cart = shop.must("GET", "/v1/cart", user=f"keeper-{number}").json
            kept[number] = cart["lines"][0]["snapshot"]
        products = shop.number("SELECT count(*) FROM cart.products")
        with shop.redis_link() as redis:
            before = redis("HLEN", "cart:revision")
            shop.reload()
            began = time.monotonic()
            try:
                wait_until(lambda: redis("HLEN", "cart:revision") <= products + 100, CLEARED_WITHIN, "it")
            except TimeoutError:
                self.fail(f"{redis('HLEN', 'cart:revision')} revisions of {products} products")
            after = redis("HLEN", "cart:revision")
        print(f"\nrevisions: {before}, then {after} of {products} products ({time.monotonic() - began:.1f} s)", flush=True)
        for number, snapshot in kept.items():
            cart = shop.must("GET", "/v1/cart", user=f"keeper-{number}").json
            self.assertEqual(cart["lines"][0]["snapshot"], snapshot)

    def test_a_change_that_was_acknowledged_and_not_deleted_is_deleted(self):
        shop = self.shop
        shop.await_rest()
        redis = shop.redis_link()
        self.addCleanup(redis.close)
        self.addCleanup(lambda: redis("XTRIM", "cart:stream", "MAXLEN", 0))
        with shop.without_syncer():
            shop.add("p0", user="acknowledged")
            # As a reader who dies between the two leaves it, where the stream has a group of readers.
            for group in redis("XINFO", "GROUPS", "cart:stream"):
                name = dict(zip(group[::2], group[1::2]))["name"]
                read = redis("XREADGROUP", "GROUP", name, "dead", "STREAMS", "cart:stream", ">")
                redis("XACK", "cart:stream", name, *(entry for entry, _ in read[0][1]))
        shop.await_rest(20)

    def test_guests_who_log_in_at_once_leave_nothing_for_ever(self):
        shop = self.shop
        for number in range(200 if IS_LONG else 60):
            guest = shop.add("p0").headers["guest-cart-id"]
            answer = shop.must("GET", "/v1/cart", user=f"quick-{number}", guest=guest)
            self.assertEqual([line["quantity"] for line in answer.json["lines"]], [1], answer.json.get("merge"))
        shop.await_rest()
        endless = "SELECT count(*) FROM cart.carts WHERE owner_kind = 'guest' AND expires_at IS NULL"
        self.assertEqual(shop.number(endless), 0, "guests' rows that never end")

    def test_a_popular_key_makes_no_order_slow(self):
        shop = self.shop
        many = 300_000 if IS_LONG else 50_000

        def guest():
            return shop.add("hot0").headers["guest-cart-id"]

        first = guest()
        placed = shop.ask("POST", "/v1/orders", {"expectedTotal": PRICE}, guest=first, key="1")
        self.assertEqual(placed.status, 201)
        where = f"order_id = '{placed.json['id']}'"
        changes = {"order_id": "'copy-' || n", "owner_id": "'copy-' || n"}
        shop.copy_rows("placed_orders", where, many, changes)
        shop.copy_rows("order_keys", where, many, changes)
        for table in ("placed_orders", "order_keys"):
            shop.sql(f"ANALYZE cart.{table}")

        def seconds(key, **identity):
            began = time.monotonic()
            answer = shop.ask("POST", "/v1/orders", {"expectedTotal": PRICE}, key=key, **identity)
            self.assertEqual(answer.status, 201, answer.json)
            return time.monotonic() - began

        for kind in ("guest", "user"):
            popular, fresh = [], []
            for number in range(15):
                for key, times in (("1", popular), (f"{kind} {number}", fresh)):
                    identity = {"guest": guest()} if kind == "guest" else {"user": f"popular-{key}-{number}"}
                    if kind == "user":
                        shop.add("hot0", **identity)
                    times.append(seconds(key, **identity))
            slow, quick = statistics.median(popular), statistics.median(fresh)
            print(
                f"\norders of {kind}s under a key of {many} others: {slow * 1000:.1f} ms,"
                f" under a fresh one {quick * 1000:.1f} ms",
                flush=True,
            )
            self.assertLessEqual(slow, 3 * quick, f"an order of a {kind} under a popular key")

    def test_the_doctor_is_calm_right_after_a_rebuild(self):
        shop = self.shop
        shop.add("p0", user="patient")
        shop.kept(user="patient")

        def worries():
            findings = json.loads(shop.cartctl("doctor", "--json"))
            return [one["subject"] for one in findings if one["weight"] in ("warning", "failure")]

        before = worries()
        shop.redis.ask("FLUSHALL")
        shop.cartctl("rebuild")
        self.assertEqual(worries(), before)


if __name__ == "__main__":
    unittest.main()
