"""Who the shopper is, behind nginx as example.conf and cartd.conf set it up for a shop of one's own: over TLS, once with
guests alone, once with a login by auth_request."""

import base64
import contextlib
import http.client
import json
import re
import ssl
import subprocess
import unittest

import pool_system
from pool_system import Cartd, Products, Server, eventually, free_port

# What a client might try to be a user by.
NAMES = [
    "CART_USER", "Cart-User", "CART-USER", "cart_user", "X-Cart-User", "X-User", "X-User-Id", "X_USER_ID",
    "X-Remote-User", "Remote-User", "REMOTE_USER", "REMOTE-USER", "X-Forwarded-User", "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User", "X-Authenticated-User", "X-Original-User", "Auth-User", "AUTH_USER", "User", "Demo-User",
    "demoUser", "HTTP_CART_USER", "HTTP-CART-USER", "Http-Cart-User", "HTTP_REMOTE_USER", "Redirect-Remote-User",
    "REDIRECT_REMOTE_USER", "Upstream-Http-X-User-Id", "Proxy-Authorization",
]


class Production:
    """An nginx with the files of production, of which only places and ports are changed; in a sub-folder as cartd.conf
    says, behind a proxy as cartd-limits.conf says."""

    def __init__(self, pool, has_login=False, base="", proxy=None):
        folder = pool.folder / "production"
        for part in ("snippets", "tmp", "www"):
            (folder / part).mkdir(parents=True)
        self.port, self.ops_port, self.shop_port = free_port(), free_port(), free_port()
        self.make_certificate(folder)
        for file in (pool_system.ROOT / "nginx").glob("cartd*.conf"):
            text = file.read_text()
            if has_login and file.name == "cartd.conf":
                text = self.changed(text, ("\n    # auth_request", "\n    auth_request"), times=2)
            if file.name == "cartd.conf":
                text = text.replace("/v1", f"{base}/v1")
            if proxy and file.name == "cartd-limits.conf":
                text = self.changed(text, ("\n# set_real_ip_from", "\nset_real_ip_from"), times=2)
                text = self.changed(text, ("\n# real_ip_", "\nreal_ip_"), times=2)
                text = self.changed(text, ("192.0.2.0/24", proxy))
            (folder / "snippets" / file.name).write_text(text)
        text = self.changed(
            (pool_system.ROOT / "nginx" / "example.conf").read_text(),
            ("/run/cartd/cartd.sock", str(pool.socket)), ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/shop.example", str(folder)), ("127.0.0.1:8081", f"127.0.0.1:{self.ops_port}"),
            ("/var/www/shop", str(folder / "www")), ("127.0.0.1:3000", f"127.0.0.1:{self.shop_port}"))
        if has_login:
            head, login = text.split("    # location = /shop-session", 1)
            text = head + "    location = /shop-session" + re.sub(r"^    # ", "    ", login, flags=re.M)
        (folder / "shop.conf").write_text(text)
        (folder / "nginx.conf").write_text(self.main(folder))
        command = ["nginx", "-e", pool.folder / "log" / "production.log", "-p", f"{folder}/", "-c", "nginx.conf"]
        self.server = Server(command, pool.folder / "log" / "production", cwd=folder)
        pool.closing.callback(self.server.stop)
        self.base = base
        eventually(self.answers, "nginx answers")

    @staticmethod
    def changed(text, *pairs, times=1):
        for old, new in pairs:
            if text.count(old) < times:
                raise AssertionError(f"not there: {old}")
            text = text.replace(old, new)
        return text

    @staticmethod
    def make_certificate(folder):
        command = [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example", "-days", "2",
            "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem",
        ]
        subprocess.run(command, check=True, capture_output=True)

    def main(self, folder):
        """The shop's session page knows one secret; nginx's own part is kept short."""
        kinds = ("fastcgi", "proxy", "scgi", "uwsgi")
        temporary = " ".join(f"{kind}_temp_path {folder}/tmp/{kind};" for kind in kinds)
        user = "user www-data;" if pool_system.os.geteuid() == 0 else ""
        return f"""daemon off; {user} pid nginx.pid; events {{ }}
            http {{
                access_log off; client_body_temp_path {folder}/tmp/body; {temporary}
                include shop.conf;
                map $cookie_shopSession $who {{ default ""; "ada-s-secret" ada; }}
                server {{
                    listen 127.0.0.1:{self.shop_port};
                    location = /session {{ add_header X-User-Id $who; return 200; }}
                }}
            }}"""

    def answers(self):
        with contextlib.suppress(OSError):
            return self.ask("GET", f"{self.base}/v1/cart").status == 200

    def connect(self, source="127.0.0.1"):
        """A connection from this address."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=pool_system.PATIENCE, source_address=(source, 0), context=context)

    def ask(self, method, path, body=None, *headers, source="127.0.0.1"):
        """`headers` are pairs, so that one may stand twice."""
        with contextlib.closing(self.connect(source)) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            payload = b"" if body is None else json.dumps(body).encode()
            if payload:
                headers = (*headers, ("Content-Type", "application/json"))
            if method != "GET":
                headers = (*headers, ("Content-Length", str(len(payload))))
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(payload)
            answer = connection.getresponse()
            answer.body = answer.read()
            return answer


class NobodyNamesAUser(unittest.TestCase):
    def start(self, has_login):
        self.pool = self.enterContext(Cartd(workers=2))
        self.sku = Products.sku()
        # The demo's nginx before the same pool makes the users.
        for user, quantity in (("ada", 3), ("bob", 5)):
            body = {"sku": self.sku, "quantity": quantity}
            self.assertEqual(self.pool.nginx.ask("POST", "/v1/cart/lines", body, Cookie=f"demoUser={user}").status, 200)
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
        cart = json.loads(answer.body)
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
        changed = nginx.ask("POST", "/v1/cart/lines", {"sku": self.sku}, ("Cart-User", "bob"), ("X-User-Id", "bob"))
        self.assertIn("; Secure", changed.headers["Set-Cookie"])
        self.assertEqual(json.loads(changed.body)["owner"], "guest")

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
        guest = nginx.ask("POST", "/v1/cart/lines", {"sku": self.sku}).headers["Guest-Cart-Id"]
        merged = nginx.ask("GET", "/v1/cart", None, session, ("Guest-Cart-Id", guest))
        self.assertEqual(self.owner_and_pieces(merged, "merge"), ("user", 4))
        self.assertRegex(merged.headers["Set-Cookie"], "guestCartId=;.*Max-Age=0")


if __name__ == "__main__":
    unittest.main()
