"""Who the shopper is, behind nginx as example.conf and cartd.conf set it up for a shop of one's own: over TLS, once with
guests alone, once with a login by auth_request."""

import base64
import unittest

from harness.pool import Cartd, Products
from harness.shop import LINES
from production import Production

# What a client might try to be a user by.
NAMES = [
    "CART_USER", "Cart-User", "CART-USER", "cart_user", "X-Cart-User", "X-User", "X-User-Id", "X_USER_ID",
    "X-Remote-User", "Remote-User", "REMOTE_USER", "REMOTE-USER", "X-Forwarded-User", "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User", "X-Authenticated-User", "X-Original-User", "Auth-User", "AUTH_USER", "User", "Demo-User",
    "demoUser", "HTTP_CART_USER", "HTTP-CART-USER", "Http-Cart-User", "HTTP_REMOTE_USER", "Redirect-Remote-User",
    "REDIRECT_REMOTE_USER", "Upstream-Http-X-User-Id", "Proxy-Authorization",
]


class NobodyNamesAUser(unittest.TestCase):
    def start(self, has_login):
        self.pool = self.enterContext(Cartd(workers=2))
        self.sku = Products.sku()
        # The demo's nginx before the same pool makes the users.
        for user, quantity in (("ada", 3), ("bob", 5)):
            body = {"sku": self.sku, "quantity": quantity}
            self.assertEqual(self.pool.nginx.ask("POST", LINES, body, user=user).status, 200)
        return Production(self.pool, has_login)

    @staticmethod
    def attempts():
        """What a request may carry that says "bob", each with the path it goes to."""
        for name in NAMES:
            yield "/v1/cart", [(name, "bob")]
            yield "/v1/cart", [(name, "bob"), (name.lower(), "bob")]
            yield "/v1/cart", [(name, "bob,bob")]
            yield f"/v1/cart?{name}=bob", []
            yield "/v1/cart", [("Cookie", f"{name}=bob")]
        for value in ('"bob"', "bob; demoUser=bob", '"a; CART_USER=bob"', "bob\\", "=bob", "bob, demoUser=bob"):
            yield "/v1/cart", [("Cookie", f"demoUser={value}")]
            yield "/v1/cart", [("Cookie", f"CART_USER={value}")]
        basic = base64.b64encode(b"bob:secret").decode()
        for value in (f"Basic {basic}", 'Digest username="bob"', "Bearer bob", "bob", "Negotiate bob"):
            yield "/v1/cart", [("Authorization", value)]
            yield "/v1/cart", [("Authorization", value), ("Authorization", value)]
        yield "/v1/cart", [("Cookie", "cartSession=bob")]
        yield "/v1/cart?sub=bob&user=bob#bob", []
        yield "http://bob:secret@shop.example/v1/cart", []

    def owner_and_pieces(self, answer, what):
        # nginx itself refuses some of it.
        if answer.status == 400:
            return None
        self.assertEqual(answer.status, 200, what)
        cart = answer.json
        return cart["owner"], cart["counts"]["quantity"]

    def test_without_a_login_everybody_is_a_guest(self):
        nginx = self.start(has_login=False)
        seen = [self.owner_and_pieces(nginx.ask("GET", path, None, *headers), (path, headers))
                for path, headers in self.attempts()]
        self.assertEqual(set(seen) - {None}, {("guest", 0)})
        self.assertLess(seen.count(None), 10)
        # Who does not know the demo's cookie has no demo.
        self.assertEqual(self.owner_and_pieces(nginx.ask("GET", "/v1/cart", None, ("Cookie", "demoUser=bob")), ""),
                         ("guest", 0))
        changed = nginx.ask("POST", LINES, {"sku": self.sku}, ("Cart-User", "bob"), ("X-User-Id", "bob"))
        self.assertIn("; Secure", changed.headers["Set-Cookie"])
        self.assertEqual(changed.json["owner"], "guest")

    def test_with_a_login_only_the_shop_says_who(self):
        nginx = self.start(has_login=True)
        session = ("Cookie", "shopSession=ada-s-secret")
        self.assertEqual(self.owner_and_pieces(nginx.ask("GET", "/v1/cart", None, session), "ada"), ("user", 3))
        for path, headers in self.attempts():
            seen = self.owner_and_pieces(nginx.ask("GET", path, None, *headers), (path, headers))
            self.assertIn(seen, (None, ("guest", 0)), (path, headers))
            seen = self.owner_and_pieces(nginx.ask("GET", path, None, session, *headers), (path, headers))
            self.assertIn(seen, (None, ("user", 3)), (path, headers))
        for cookie in ("shopSession=wrong", "shopSession=", "shopSession=ada"):
            seen = self.owner_and_pieces(nginx.ask("GET", "/v1/cart", None, ("Cookie", cookie)), cookie)
            self.assertEqual(seen, ("guest", 0))
        # The page that says it is nobody's to ask.
        self.assertEqual(nginx.ask("GET", "/shop-session").status, 404)
        # A login brings the guest's cart along.
        guest = nginx.ask("POST", LINES, {"sku": self.sku}).headers["Guest-Cart-Id"]
        merged = nginx.ask("GET", "/v1/cart", None, session, ("Guest-Cart-Id", guest))
        self.assertEqual(self.owner_and_pieces(merged, "merge"), ("user", 4))
        self.assertRegex(merged.headers["Set-Cookie"], "guestCartId=;.*Max-Age=0")


if __name__ == "__main__":
    unittest.main()
