"""Pools of their own for the tests of this folder: a master with its workers, a Redis, and one or more nginx before it.

PostgreSQL and the binaries are those of a running instance of `nginx/up`, whose folder `CART_TEST_STATE` names.
"""

import contextlib
import functools
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STATE = pathlib.Path(os.environ.get("CART_TEST_STATE", ""))
NAIVE_POOL = os.environ.get("CART_TEST_NAIVE_POOL", "")
IS_LONG = bool(os.environ.get("CART_TEST_LONG"))
# The answers of one test may not be waited for longer than that.
PATIENCE = 20


def eventually(question, what, seconds=PATIENCE):
    """Asks until the answer is true, and returns it: for what no event tells."""
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.002)
    return answer


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@functools.cache
def own_variables():
    """The variables of the instance's `env` file, as a shell understands them, but for a schema of these tests: each
    Redis of theirs is a newer one, and the instance's must not seem outdated."""
    script = 'set -a; . "$0"; env -0'
    text = subprocess.run(["/bin/sh", "-c", script, STATE / "env"], check=True, capture_output=True).stdout
    variables = dict(entry.decode().split("=", 1) for entry in text.split(b"\0") if b"=" in entry)
    variables |= {"CART_SCHEMA": "cart_pool", "CART_REDIS_PREFIX": "pool:"}
    command = [STATE / "bin" / "cartctl", "migrate"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | variables)
    return variables


def empty_schema():
    """No test finds carts of another: each has an empty Redis, to which they would come back."""
    psql("TRUNCATE cart_pool.carts, cart_pool.cart_inbox, cart_pool.cart_events, cart_pool.cart_merges")


def psql(sql):
    """The answer of the instance's PostgreSQL, as text without names and frames."""
    command = ["psql", "-XqAt", "-d", own_variables()["CART_DATABASE"], "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Server:
    """A process that ends with this one, in whatever way this one ends."""

    def __init__(self, command, log, cwd, variables=None):
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, env=variables,
            )
        self.pid = self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Returns the status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()


def start_redis(folder, *more):
    """A Redis with the socket `redis.sock` in `folder`."""
    command = ["redis-server", "--port", "0", "--unixsocket", "redis.sock", "--unixsocketperm", "777",
               "--save", "", "--appendonly", "no", "--hash-max-listpack-value", "256", *more]
    (folder / "log").mkdir(exist_ok=True)
    server = Server(command, folder / "log" / "redis", folder)
    eventually((folder / "redis.sock").exists, "Redis is there")
    return server


class Gate:
    """A unix socket before another one: it can be shut, so that the other is away, or hold back what comes."""

    def __init__(self, path, target):
        self.path, self.target = str(path), str(target)
        self.flows = threading.Event()
        self.flows.set()
        self.sockets = set()
        self.open()

    def open(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        os.chmod(self.path, 0o666)
        listener.listen(64)
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self):
        os.unlink(self.path)
        for end in [self.listener, *self.sockets]:
            self._end(end)
        self.listener.close()
        self.sockets.clear()

    def hold(self):
        self.flows.clear()

    def release(self):
        self.flows.set()

    @staticmethod
    def _end(end):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.target)
                self.sockets |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                sink.sendall(data)
        self._end(source)
        self._end(sink)
        self.sockets.discard(source)
        source.close()


class Nginx:
    """An nginx with the demo's configuration, before the socket `cartd.sock` in `folder`."""

    def __init__(self, folder, name="nginx"):
        self.port = free_port()
        prefix = folder / name
        for part in ("tmp", "www"):
            (prefix / part).mkdir(parents=True)
        (prefix / "snippets").symlink_to(ROOT / "nginx")
        text = (ROOT / "nginx" / "demo" / "nginx.conf.template").read_text()
        user = "user www-data;" if os.geteuid() == 0 else ""
        (prefix / "nginx.conf").write_text(text.replace("@USER@", user).replace("@PORT@", str(self.port)))
        command = ["nginx", "-e", folder / "log" / "nginx-error.log", "-p", f"{prefix}/", "-c", "nginx.conf"]
        self.server = Server(command, folder / "log" / "nginx", cwd=folder)
        eventually(self._answers, "nginx answers")

    def _answers(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True

    def ask(self, method, path, body=None, **headers):
        """One request on a connection of its own."""
        return self.start(method, path, body, **headers).finish()

    def start(self, method, path, body=None, **headers):
        return Exchange(self.port, method, path, body, headers)


class Exchange:
    """A request whose answer is still to be read."""

    def __init__(self, port, method, path, body, headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self.connection.request(method, path, body=payload, headers=headers)

    def finish(self):
        """The answer, with its bytes as `body`."""
        answer = self.connection.getresponse()
        answer.body = answer.read()
        self.connection.close()
        return answer

    def abandon(self):
        self.connection.close()


class Pool:
    """A master with its workers behind an nginx, in a folder of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cart-pool-"))
        # nginx's workers are another user, and reach the socket in here.
        self.folder.chmod(0o711)
        (self.folder / "log").mkdir()
        self.log = self.folder / "log" / "pool"
        self.closing = contextlib.ExitStack()
        self.closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.socket = self.folder / "cartd.sock"
        self.redis_socket = self.folder / "redis.sock"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.close()

    def run(self, command, variables=None):
        self.server = Server(command, self.log, self.folder, variables)
        self.closing.callback(self.server.stop)

    def add_nginx(self, name="nginx"):
        nginx = Nginx(self.folder, name)
        self.closing.callback(nginx.server.stop)
        return nginx

    def signal(self, number):
        self.server.signal(number)

    def ask_redis(self, *words):
        command = ["redis-cli", "-s", self.redis_socket, *map(str, words)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    @property
    def log_text(self):
        return self.log.read_text(errors="replace")

    def children(self):
        pid = self.server.pid
        with contextlib.suppress(OSError):
            return set(map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
        return set()

    def wait_for(self, words, times=1):
        """Until the log says so, for that many times in all."""
        return eventually(lambda: self.log_text.count(words) >= times, f"the log says {words!r} {times} times")


class Cartd(Pool):
    """cartd with `workers`, its settings without CART_; those in `file` stand in its configuration file, where a reload
    finds others. Beside another one, it has the carts that PostgreSQL has, and perhaps a Redis of somebody else's."""

    def __init__(self, workers=2, gates=False, file=None, beside=False, redis=None, **settings):
        super().__init__()
        self.is_beside = beside
        if redis:
            self.redis_socket = redis
        with contextlib.ExitStack() as undoing:
            undoing.callback(self.closing.close)
            self.configure(file or {})
            self._start(workers, gates, settings)
            undoing.pop_all()

    def configure(self, settings):
        lines = [f"CART_{name}={value}\n" for name, value in settings.items()]
        (self.folder / "cartd.env").write_text("".join(lines))

    def reload(self):
        """Until every worker is one of the new generation."""
        self.reloads = getattr(self, "reloads", 0) + 1
        self.signal(signal.SIGHUP)
        self.wait_for(f"generation={self.reloads} [FastCGIServer] reload finished")

    def _start(self, workers, gates, settings):
        variables = dict(own_variables())
        if not self.is_beside:
            empty_schema()
        redis = self.redis_socket
        if redis.parent == self.folder:
            self.closing.callback(start_redis(self.folder).stop)
        self.redis = self.postgres = None
        if gates:
            self.redis = Gate(self.folder / "gate.sock", redis)
            redis = self.folder / "gate.sock"
            self._gate_postgres(variables)
        self.secret = self.folder / "secret"
        shutil.copyfile(STATE / "secret", self.secret)
        self.secret.chmod(0o600)
        self.program = self.folder / "cartd"
        shutil.copy(STATE / "bin" / "cartd", self.program)
        variables |= {
            "CART_LISTEN": f"unix:{self.socket}", "CART_LISTEN_MODE": "0666", "CART_WORKERS": str(workers),
            "CART_PID_FILE": str(self.folder / "pid"), "CART_GUEST_SECRET_FILE": str(self.secret),
            "CART_REDIS": f"unix:{redis}",
        }
        self.variables = variables | {f"CART_{name}": str(value) for name, value in settings.items()}
        self.count = workers
        self.run([self.program, "--config", self.folder / "cartd.env"], self.variables)
        eventually(self.socket.exists, "the socket is there")
        self.nginx = self.add_nginx()
        self.wait_until_idle()

    def _gate_postgres(self, variables):
        host = re.search(r"host='?([^' ]*)", variables["CART_DATABASE"])[1]
        (self.folder / "postgres").mkdir()
        self.postgres = Gate(self.folder / "postgres" / ".s.PGSQL.5432", f"{host}/.s.PGSQL.5432")
        variables["CART_DATABASE"] = f"host={self.folder}/postgres port=5432 user=cart dbname=cart"

    def workers(self):
        """The processes that serve, in order."""
        found = []
        for pid in self.children():
            with contextlib.suppress(OSError):
                if b"--worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return sorted(found)

    def status(self):
        return json.loads(self.nginx.ask("GET", "/ops/status?format=json").body)

    def busy(self):
        return [worker for worker in self.status()["workers"] if worker["state"] == "busy"]

    def wait_until_idle(self, count=None):
        """Until so many workers are there and idle; no others."""
        count = count or self.count

        def is_idle():
            answer = self.nginx.ask("GET", "/ops/status?format=json")
            if answer.status != 200:
                return False
            pool = json.loads(answer.body)["pool"]
            return pool["idle"] == pool["workers"] == count == len(self.workers())

        eventually(is_idle, f"{count} workers are idle")


class Naive(Pool):
    """The classic loop around libfcgi's accept, pre-forked."""

    def __init__(self, workers=2, maximum_requests=0):
        super().__init__()
        self.run([NAIVE_POOL, self.socket, workers, maximum_requests])
        eventually(self.socket.exists, "the socket is there")
        self.nginx = self.add_nginx()
        eventually(lambda: len(self.children()) == workers, "the workers are there")


class Products:
    """Products of these tests, imported when one first asks."""

    _skus = []

    @classmethod
    def sku(cls):
        return cls.many(1)[0]

    @classmethod
    def many(cls, count):
        if not cls._skus:
            cls._skus = [f"pool-{os.getpid()}-{time.time_ns():x}-{number}" for number in range(100)]
            cls.load({"sku": sku, "name": "Pool", "unitPrice": 100, "currency": "GBP"} for sku in cls._skus)
        return cls._skus[:count]

    @staticmethod
    def load(products):
        with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
            for product in products:
                file.write(json.dumps(product) + "\n")
            file.flush()
            command = [STATE / "bin" / "cartctl", "catalog", "import", file.name]
            done = subprocess.run(command, check=False, capture_output=True, env=os.environ | own_variables())
            # The instance's Redis is none of these tests': then PostgreSQL has the products, and theirs asks it.
            assert done.returncode in (0, 3), done.stderr


def private_bytes(pid):
    """Memory that the process shares with no other."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M)) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def is_alive(pid):
    """A zombie is not."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
