"""An nginx as example.conf and cartd.conf set it up for a shop of one's own, over TLS."""

import contextlib
import re
import subprocess

from harness.processes import free_port
from harness.servers import ROOT, Nginx
from harness.web import Exchange


class Production(Nginx):
    """An nginx with the files of production, of which only places and ports are changed; in a sub-folder as cartd.conf
    says, behind a proxy as cartd-limits.conf says."""

    def __init__(self, pool, has_login=False, base="", proxy=None):
        folder = pool.folder / "production"
        for part in ("snippets", "tmp", "www"):
            (folder / part).mkdir(parents=True)
        self.port, self.ops_port, self.shop_port = free_port(), free_port(), free_port()
        self.make_certificate(folder)
        for file in (ROOT / "nginx").glob("cartd*.conf"):
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
            (ROOT / "nginx" / "example.conf").read_text(),
            ("/run/cartd/cartd.sock", str(pool.socket)), ("listen 443 ssl", f"listen 127.0.0.1:{self.port} ssl"),
            ("/etc/ssl/shop.example", str(folder)), ("127.0.0.1:8081", f"127.0.0.1:{self.ops_port}"),
            ("/var/www/shop", str(folder / "www")), ("127.0.0.1:3000", f"127.0.0.1:{self.shop_port}"))
        if has_login:
            head, login = text.split("    # location = /shop-session", 1)
            text = head + "    location = /shop-session" + re.sub(r"^    # ", "    ", login, flags=re.M)
        (folder / "shop.conf").write_text(text)
        self.base = base
        super().__init__(folder, self.main(folder), f"https://127.0.0.1:{self.port}")
        pool.closing.callback(self.stop)

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
        return f"""daemon off; {self.USER} pid nginx.pid; events {{ }}
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

    def ask(self, method, target, body=None, *headers, source=None):
        """`headers` are pairs, so that one may stand twice; `source` is the address that asks."""
        return Exchange(self.url, method, target, body, headers, source=source).finish()
