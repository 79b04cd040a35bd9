"""A master with its workers behind an nginx, in a folder of its own, beside the running instance of `nginx/up`, whose
PostgreSQL and programs it has."""

import contextlib
import functools
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

from harness import shop
from harness.processes import PATIENCE, children, children_with, end, start, wait_until
from harness.servers import DemoNginx, Gate, RedisServer


@functools.cache
def instance():
    """With a schema of the pools' own: each Redis of theirs is a newer one, and the instance's must not seem old."""
    found = shop.Instance(CART_SCHEMA="cart_pool", CART_REDIS_PREFIX="pool:")
    found.cartctl("migrate")
    return found


def forget_carts(one):
    """No test finds carts of another: each has an empty Redis, to which they would come back."""
    schema, tables = one.variables["CART_SCHEMA"], ("carts", "cart_inbox", "cart_events", "cart_merges")
    one.psql("TRUNCATE " + ", ".join(f"{schema}.{table}" for table in tables))


class Pool:
    """Processes with one ancestor, at the socket `cartd.sock` in their folder."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cart-pool-"))
        # nginx's workers are another user, and reach the socket in here.
        self.folder.chmod(0o711)
        (self.folder / "log").mkdir()
        self.log = self.folder / "log" / "pool"
        self.socket = self.folder / "cartd.sock"
        self.closing = contextlib.ExitStack()
        self.closing.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.close()

    def run(self, command, variables=None):
        self.process = start(command, self.log, variables, cwd=self.folder)
        self.closing.callback(end, self.process)
        wait_until(self.socket.exists, PATIENCE, "the socket")

    def add_nginx(self, name="nginx"):
        nginx = DemoNginx(self.folder, name)
        self.closing.callback(nginx.stop)
        return nginx

    def signal(self, number):
        self.process.send_signal(number)

    def children(self):
        return set(children(self.process.pid))


class Cartd(Pool, shop.Shop):
    """cartd with `workers`, its settings without CART_; those in `file` stand in its configuration file, where a reload
    finds others. Beside another one, it has the carts that PostgreSQL has, and perhaps a Redis of somebody else's."""

    def __init__(self, workers=2, gates=False, file=None, beside=False, redis=None, **settings):
        super().__init__()
        with contextlib.ExitStack() as undoing:
            undoing.callback(self.closing.close)
            self.configure(file or {})
            self.binaries = instance().binaries
            self.variables = dict(instance().variables)
            if not beside:
                forget_carts(self)
            self.redis = redis or self.closing.enter_context(RedisServer(self.folder / "redis", keeps=False))
            self._configure_start(workers, settings)
            if gates:
                self._add_gates()
            self.run([self.program, "--config", self.folder / "cartd.env"], self.variables)
            self.nginx = self.add_nginx()
            self.wait_until_idle()
            undoing.pop_all()

    def configure(self, settings):
        lines = [f"CART_{name}={value}\n" for name, value in settings.items()]
        (self.folder / "cartd.env").write_text("".join(lines))

    def _configure_start(self, workers, settings):
        self.count, self.reloads = workers, 0
        self.secret = self.folder / "secret"
        shutil.copyfile(instance().state / "secret", self.secret)
        self.secret.chmod(0o600)
        self.program = self.folder / "cartd"
        shutil.copy(self.binaries / "cartd", self.program)
        self.variables |= {
            "CART_LISTEN": f"unix:{self.socket}", "CART_LISTEN_MODE": "0666", "CART_WORKERS": str(workers),
            "CART_PID_FILE": str(self.folder / "pid"), "CART_GUEST_SECRET_FILE": str(self.secret),
            "CART_REDIS": f"unix:{self.redis.socket}",
        } | {f"CART_{name}": str(value) for name, value in settings.items()}  # fmt: skip

    def _add_gates(self):
        self.redis_gate = Gate(self.redis.socket, self.folder / "gate.sock")
        host = re.search(r"host='?([^' ]*)", self.variables["CART_DATABASE"])[1]
        (self.folder / "postgres").mkdir()
        self.postgres_gate = Gate(f"{host}/.s.PGSQL.5432", self.folder / "postgres" / ".s.PGSQL.5432")
        self.variables["CART_REDIS"] = f"unix:{self.folder}/gate.sock"
        self.variables["CART_DATABASE"] = f"host={self.folder}/postgres port=5432 user=cart dbname=cart"

    def check(self, **variables):
        """What became of `cartd --check`."""
        command = [self.program, "--check"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.variables | variables)

    def reload(self):
        """Until every worker is one of the new generation."""
        self.reloads += 1
        self.signal(signal.SIGHUP)
        self.wait_for(f"generation={self.reloads} [FastCGIServer] reload finished")

    @property
    def log_text(self):
        return self.log.read_text(errors="replace")

    def wait_for(self, words, times=1):
        """Until the log says so, for that many times in all."""
        wait_until(lambda: self.log_text.count(words) >= times, PATIENCE, f"the log to say {words!r} {times} times")

    def workers(self):
        """The processes that serve, in order."""
        return children_with(self.process.pid, "--worker")

    def status(self):
        return self.nginx.ask("GET", "/ops/status?format=json").json

    def busy(self):
        return [worker for worker in self.status()["workers"] if worker["state"] == "busy"]

    def wait_until_idle(self, count=None):
        """Until so many workers are there and idle; no others."""
        count = count or self.count

        def is_idle():
            answer = self.nginx.ask("GET", "/ops/status?format=json")
            if answer.status != 200:
                return False
            pool = answer.json["pool"]
            return pool["idle"] == pool["workers"] == count == len(self.workers())

        wait_until(is_idle, PATIENCE, f"{count} idle workers")


class Products:
    """Products of these tests, imported when one first asks."""

    _skus = []

    @classmethod
    def sku(cls):
        return cls.many(1)[0]

    @classmethod
    def many(cls, count):
        if not cls._skus:
            cls._skus = [shop.unique("pool") for _ in range(100)]
            cls.load(map(shop.product, cls._skus))
        return cls._skus[:count]

    @staticmethod
    def load(products):
        done = instance().run_import(products)
        # The instance's Redis is none of these tests': then PostgreSQL has the products, and theirs asks it.
        assert done.returncode in (0, 3), done.stderr
