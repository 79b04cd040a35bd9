"""Tokens on their way through nginx, with keys in files: what was signed for another algorithm is 401 and changes nothing,
and keys are rotated by a reload. Signatures are openssl's, not cartd's."""

import pathlib
import tempfile
import time
import unittest

from harness.pool import Cartd, Products, instance

from harness.shop import LINES
from harness.tokens import KeyPair, Secret, encoded


def claims(**more):
    """Those of a token that counts, with `more` in their place; None leaves one out."""
    good = {"sub": "ada", "exp": int(time.time()) + 900, "aud": "cart", "iss": "shop"} | more
    return {name: value for name, value in good.items() if value is not None}


def carts(pool):
    """Every cart there is, in Redis and in PostgreSQL, and the number of orders."""
    keys = sorted(key for kind in ("user", "guest") for key in pool.redis.ask("KEYS", f"pool:cart:{kind}:*"))
    rows = instance().psql("""
        SELECT coalesce(string_agg(concat_ws('|', owner_kind, owner_id, version, lines), ',' ORDER BY owner_id), '')
          || (SELECT count(*) FROM cart_pool.placed_orders) FROM cart_pool.carts""")
    return {key: sorted(pool.redis.ask("HGETALL", key)) for key in keys}, rows


class Tokens(unittest.TestCase):
    @staticmethod
    def settings(algorithm, keys):
        files = " ".join(str(key.file) for key in keys)
        return {"JWT_ALGORITHM": algorithm, "JWT_AUDIENCE": "cart", "JWT_ISSUER": "shop", "JWT_KEY_FILES": files}

    def start(self, algorithm, *keys):
        """A pool that knows these keys; "ada" and a guest have carts, which are in PostgreSQL too."""
        pool = self.enterContext(Cartd(file=self.settings(algorithm, keys)))
        self.sku = Products.sku()
        self.guest = pool.nginx.ask("POST", LINES, {"sku": self.sku}).headers["Guest-Cart-Id"]
        for identity in ("demoUser=ada", f"guestCartId={self.guest}"):
            pool.nginx.ask("POST", LINES, {"sku": self.sku}, Cookie=identity)
            self.assertEqual(pool.nginx.ask("POST", "/v1/cart/sync", Cookie=identity).status, 200)
        return pool

    def folder(self):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def accept(self, pool, token):
        for headers in ({"Authorization": f"Bearer {token}"}, {"Cookie": f"cartSession={token}"}):
            answer = pool.nginx.ask("GET", "/v1/cart", **headers)
            self.assertEqual((answer.status, answer.json["owner"]), (200, "user"), token)

    def refuse(self, pool, name, token):
        requests = [
            ("GET", "/v1/cart", None), ("POST", LINES, {"sku": self.sku}), ("DELETE", "/v1/cart", None),
            ("POST", "/v1/orders", {"expectedTotal": 200}),
        ]
        for method, path, body in requests:
            guest = f"guestCartId={self.guest}"
            for headers in (
                {"Authorization": f"Bearer {token}", "Cookie": guest}, {"Cookie": f"{guest}; cartSession={token}"},
            ):
                answer = pool.nginx.ask(method, path, body, Idempotency_Key=f"key {method}", **headers)
                what = (name, method, list(headers))
                self.assertEqual((answer.status, answer.json.get("code")), (401, "bad_token"), what)
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer", what)
                self.assertIsNone(answer.headers["Set-Cookie"], what)

    def test_no_algorithm_passes_for_another(self):
        for algorithm in KeyPair.KINDS:
            with self.subTest(algorithm):
                folder = self.folder()
                pair, secret = KeyPair(folder, algorithm), Secret(folder, "secret")
                pool = self.start(algorithm, pair)
                good = pair.token(claims())
                self.accept(pool, good)
                public = pair.file.read_bytes()
                der = pair.openssl("pkey", "-pubin", "-in", pair.file, "-outform", "DER")
                before = carts(pool)
                for name in ("HS256", algorithm, "none"):
                    message = f'{encoded({"alg": name})}.{encoded(claims(sub="bob"))}'
                    for what, key in (("PEM", public), ("PEM without its end", public.rstrip()), ("DER", der)):
                        self.refuse(pool, f"{name} with {what}", secret.sign(message, key))
                    self.refuse(pool, name, f'{message}.{good.split(".")[2]}')
                self.refuse(pool, "a secret's", secret.token(claims()))
                self.refuse(pool, "expired", pair.token(claims(exp=int(time.time()) - 1)))
                self.assertEqual(carts(pool), before)

    def test_an_old_key_counts_until_it_is_taken_away(self):
        folder = self.folder()
        old, new = Secret(folder, "old"), Secret(folder, "new")
        pool = self.start("HS256", old)
        tokens = {key: key.token(claims(), kid=key.file.stem) for key in (old, new)}

        def configure(*keys):
            pool.configure(self.settings("HS256", keys))
            pool.reload()

        self.accept(pool, tokens[old])
        self.refuse(pool, "not known yet", tokens[new])
        configure(new, old)
        self.accept(pool, tokens[old])
        self.accept(pool, tokens[new])
        configure(new)
        self.accept(pool, tokens[new])
        before = carts(pool)
        self.refuse(pool, "taken away", tokens[old])
        self.refuse(pool, "the new one's name", old.token(claims(), kid="new"))
        self.assertEqual(carts(pool), before)


if __name__ == "__main__":
    unittest.main()
