"""Tokens on their way through nginx: one that does not count is 401 and changes nothing, and keys are rotated by a
reload. Signatures are openssl's, not cartd's."""

import hashlib
import json
import pathlib
import random
import socket
import tempfile
import time
import unittest

from harness.pool import Cartd, Products, instance
from harness.processes import PATIENCE
from harness.shop import IS_LONG, LINES
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

    def test_what_does_not_count_is_401_and_changes_nothing(self):
        folder = self.folder()
        key, other = Secret(folder, "key"), Secret(folder, "other")
        pool = self.start("HS256", key)
        now = int(time.time())
        for good in (claims(), claims(exp=now + 900.5), claims(aud=["app", "cart"]), claims(nbf=now, iat=now)):
            self.accept(pool, key.token(good))
        good = key.token(claims())
        head, body, signature = good.split(".")
        unsigned = {
            f"alg {name}, {what}": f'{encoded({"alg": name})}.{body}.{end}'
            for name in ("none", "None", "NONE", "", None, ["HS256"], "hs256")
            for what, end in (("no signature", ""), ("the old one", signature))
        }
        refused = unsigned | {
            name: key.token(claims(**wrong)) for name, wrong in {
                "expired": {"exp": now - 1}, "expires now": {"exp": now}, "no exp": {"exp": None},
                "exp a string": {"exp": str(now + 900)}, "exp a flag": {"exp": True}, "exp a list": {"exp": [now]},
                "exp below 0": {"exp": -1}, "not yet": {"nbf": now + 900}, "nbf a string": {"nbf": "0"},
                "from the future": {"iat": now + 900}, "other audience": {"aud": "other"}, "no audience": {"aud": None},
                "audiences without it": {"aud": ["a", "b"]}, "aud a number": {"aud": 1},
                "aud in capitals": {"aud": "CART"}, "other issuer": {"iss": "other"}, "no issuer": {"iss": None},
                "issuer a list": {"iss": ["shop"]},
                "nobody": {"sub": None}, "sub empty": {"sub": ""}, "sub a number": {"sub": 7},
                "sub too long": {"sub": "x" * 129}, "sub with a control byte": {"sub": "a\0b"},
                "too long": {"pad": "x" * 8_192}, "very long": {"pad": "x" * 15_000},
            }.items()
        } | {
            "HS512": key.token(claims(), "HS512", hashlib.sha512), "RS256": key.token(claims(), "RS256"),
            "critical": key.token(claims(), crit=["b64"], b64=False), "kid a number": key.token(claims(), kid=1),
            "other key": other.token(claims()), "empty key": key.sign(f"{head}.{body}", b""),
            "exp beyond numbers": key.token(json.dumps(claims(exp=7)).replace("7", "9" * 400, 1).encode()),
            "claims no object": key.token([]), "claims no JSON": key.token(b"{"),
            "claims of another": f'{head}.{encoded(claims(sub="bob"))}.{signature}',
            "two parts": f"{head}.{body}", "four parts": f"{good}.{signature}", "dots": "..", "no token": "x",
        } | {f"cut after {size}": good[:size] for size in range(1, len(good), 23)}
        before = carts(pool)
        for name, token in refused.items():
            self.refuse(pool, name, token)
        self.assertEqual(carts(pool), before)

    def test_no_bit_may_change(self):
        key = Secret(self.folder(), "key")
        pool = self.start("HS256", key)
        chance = random.Random(seed := random.randrange(1 << 32))
        token = key.token(claims()).encode()
        before = carts(pool)
        for position in range(len(token)):
            for bit in range(8) if IS_LONG else [chance.randrange(8)]:
                changed = bytearray(token)
                changed[position] ^= 1 << bit
                # What can't stand in a header is refused by nginx.
                status = self.status(pool, bytes(changed))
                self.assertIn(status, (400, 401), f"seed {seed}, byte {position}, bit {bit}")
        self.assertEqual(self.status(pool, token), 200)
        self.assertEqual(carts(pool), before)

    @staticmethod
    def status(pool, token):
        head = b"GET /v1/cart HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nAuthorization: Bearer " + token
        with socket.create_connection(("127.0.0.1", pool.nginx.port), PATIENCE) as connection:
            connection.sendall(head + b"\r\n\r\n")
            return int(connection.makefile("rb").readline().split()[1])

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
