"""Guests through nginx: the secret that signs their cookie, and a login while PostgreSQL is away."""

import signal
import unittest

from harness.pool import Cartd, Products
from harness.processes import PATIENCE, wait_until
from harness.shop import LINES


def guest(pool, quantity=1):
    """The value of a new guest's cookie."""
    body = {"sku": Products.sku(), "quantity": quantity}
    return pool.nginx.ask("POST", LINES, body).headers["Guest-Cart-Id"]


def pieces(pool, **headers):
    return pool.nginx.ask("GET", "/v1/cart", **headers).json["counts"]["quantity"]


class Secrets(unittest.TestCase):
    def test_two_secrets_carry_guests_over_a_rotation(self):
        with Cartd(workers=2) as pool:
            former = pool.folder / "former"
            first = pool.secret.read_text()

            def rotate(now, old):
                for file, text in ((pool.secret, now), (former, old)):
                    file.write_text(text)
                    file.chmod(0o600)
                pool.configure({"GUEST_SECRET_OLD_FILE": former})
                pool.reload()

            value = guest(pool, 4)
            rotate("second-secret-which-is-as-long-as-it-must-be", first)
            self.assertEqual(pieces(pool, guest=value), 4)
            self.assertEqual(pieces(pool, Guest_Cart_Id=value), 4)
            newer = guest(pool, 2)
            rotate("third-secret-which-is-as-long-as-the-others", "second-secret-which-is-as-long-as-it-must-be")
            self.assertEqual(pieces(pool, guest=value), 0)
            self.assertEqual(pieces(pool, guest=newer), 2)
            # The newer one counts, although the other comes first; a change of it issues nothing.
            both = f"guestCartId={value}; guestCartId={newer}"
            answer = pool.nginx.ask("POST", LINES, {"sku": Products.sku()}, Cookie=both)
            self.assertEqual((answer.json["counts"]["quantity"], answer.headers["Set-Cookie"]), (3, None))

    def test_a_secret_that_others_may_read_is_refused(self):
        with Cartd(workers=1) as pool:
            for mode, is_good in ((0o600, True), (0o640, True), (0o644, False), (0o660, False), (0o602, False)):
                pool.secret.chmod(mode)
                done = pool.check()
                self.assertEqual(done.returncode == 0, is_good, (oct(mode), done.stderr))
                self.assertEqual("CART_GUEST_SECRET_FILE" in done.stderr, not is_good, oct(mode))
                self.assertNotIn(pool.secret.read_text().strip(), done.stdout + done.stderr)
            # A reload into it changes nothing.
            workers = pool.workers()
            pool.signal(signal.SIGHUP)
            pool.wait_for("CART_GUEST_SECRET_FILE")
            self.assertEqual(pool.workers(), workers)
            self.assertEqual(pool.nginx.ask("GET", "/v1/cart").status, 200)

    def test_a_configuration_that_would_not_persist_them_is_refused(self):
        with Cartd(workers=1, GUEST_PERSIST="on") as pool:
            for value, is_good in (("on", True), ("off", False)):
                done = pool.check(CART_GUEST_PERSIST=value)
                self.assertEqual((done.returncode == 0, "CART_GUEST_PERSIST" in done.stderr), (is_good, not is_good))


class LoginWithoutPostgres(unittest.TestCase):
    def test_it_waits_and_is_made_up_for(self):
        with Cartd(workers=1, gates=True) as pool:
            value = guest(pool, 4)
            body = {"sku": Products.sku(), "quantity": 3}
            self.assertEqual(pool.nginx.ask("POST", LINES, body, user="ada").status, 200)
            both = {"user": "ada", "guest": value}
            pool.postgres_gate.shut()
            answer = pool.nginx.ask("GET", "/v1/cart", **both)
            cart = answer.json
            self.assertEqual((answer.status, cart["merge"], cart["counts"]["quantity"]), (200, {"pending": True}, 3))
            self.assertIsNone(answer.headers["Set-Cookie"])
            answer = pool.nginx.ask("POST", LINES, {"sku": Products.sku()}, **both)
            cart = answer.json
            self.assertEqual((answer.status, cart["merge"], cart["counts"]["quantity"]), (200, {"pending": True}, 4))
            self.assertIsNone(answer.headers["Set-Cookie"])
            answer = pool.nginx.ask("POST", "/v1/cart/merge", {"strategy": "max"}, **both)
            self.assertEqual((answer.status, answer.json["code"]), (503, "store_unavailable"))
            self.assertTrue(answer.headers["Retry-After"])
            self.assertIsNone(answer.headers["Set-Cookie"])
            self.assertEqual(pieces(pool, guest=value), 4)
            pool.postgres_gate.open()

            def merged():
                answer = pool.nginx.ask("GET", "/v1/cart", **both)
                return answer if answer.headers["Set-Cookie"] else None

            answer = wait_until(merged, PATIENCE, "the carts are one")
            cart = answer.json
            self.assertEqual([(line["outcome"], line["quantity"]) for line in cart["merge"]["lines"]], [("summed", 8)])
            self.assertRegex(answer.headers["Set-Cookie"], "^guestCartId=; .*Max-Age=0")
            self.assertEqual(pieces(pool, user="ada"), 8)
            self.assertEqual(pieces(pool, guest=value), 0)


if __name__ == "__main__":
    unittest.main()
