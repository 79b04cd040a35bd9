"""The servers of one run: a Redis, a PostgreSQL and a cartd of its own, under one folder, with a proxy before each
store."""

import ctypes
import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

import wire
from proxies import ProxyProcess, signal_own

ROLE = "cart"
LIBC = ctypes.CDLL(None)
MANIFEST = """file appendonly.aof.1.base.rdb seq 1 type b
file appendonly.aof.1.incr.aof seq 1 type i
"""


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    """In a child: the kernel kills it when this program is killed. PR_SET_PDEATHSIG is 1."""
    LIBC.prctl(1, signal.SIGKILL)


def children(pid):
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def end(process):
    """In order, or else at once."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class RedisServer:
    """A Redis that writes everything it does to its append-only file, as `nginx/up` starts it."""

    def __init__(self, folder, follows=None):
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.port = free_port()
        self.process = None
        os.makedirs(folder)
        self.start(["--replicaof", f"127.0.0.1 {follows.port}"] if follows else [])

    def start(self, more=(), environment=None):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.socket]
            + ["--dir", self.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
            + ["--maxmemory-policy", "noeviction", "--hash-max-listpack-value", "256"]
            # Without replicas for so long, it begins another history, and again when the next one comes.
            + ["--repl-diskless-sync-delay", "0", "--repl-backlog-ttl", "1", *more],
            stdout=log, stderr=log, env=os.environ | (environment or {}), preexec_fn=die_with_parent,
        )  # fmt: skip
        wait_until(self.answers, 20, "Redis")

    def answers(self):
        try:
            with wire.Redis(self.socket) as redis:
                return redis("PING") == "PONG"
        except (OSError, wire.RedisError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def save(self):
        """A snapshot, which `go_back` puts back."""
        with wire.Redis(self.socket) as redis:
            redis("SAVE")
        shutil.copy(os.path.join(self.folder, "dump.rdb"), os.path.join(self.folder, "snapshot"))

    def go_back(self):
        """Starts it with the snapshot; it must be dead. A Redis with an append-only file reads nothing else."""
        files = os.path.join(self.folder, "appendonlydir")
        shutil.rmtree(files)
        os.mkdir(files)
        shutil.copy(os.path.join(self.folder, "snapshot"), os.path.join(files, "appendonly.aof.1.base.rdb"))
        open(os.path.join(files, "appendonly.aof.1.incr.aof"), "wb").close()
        with open(os.path.join(files, "appendonly.aof.manifest"), "w", encoding="ascii") as file:
            file.write(MANIFEST)
        self.start()


class PostgresServer:
    """A cluster of its own. It refuses to run as root."""

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1]
        self.process = None
        os.makedirs(folder)
        self.account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.account:
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        self._run(["initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--encoding=UTF8", "--locale=C", "-N"]
                  + ["--wal-segsize=1"])  # fmt: skip
        self.start()
        self.psql(f"CREATE ROLE {ROLE} LOGIN", "postgres", "postgres")
        self.psql(f"CREATE DATABASE {ROLE} OWNER {ROLE}", "postgres", "postgres")

    def _identity(self):
        return {"user": self.account.pw_uid, "group": self.account.pw_gid} if self.account else {}

    def _run(self, command):
        command = [os.path.join(self.bin, command[0])] + command[1:]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._identity())
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr}")

    def start(self):
        log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(self.bin, "postgres"), "-D", self.data, "-c", "listen_addresses=", "-c", "fsync=off"]
            + ["-c", f"unix_socket_directories={self.folder}", "-c", "timezone=UTC", "-c", "max_wal_size=64MB"],
            stdout=log, stderr=log, cwd="/", preexec_fn=die_with_parent, **self._identity(),
        )  # fmt: skip
        ready = [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.folder]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 30, "PostgreSQL")

    def stop(self):
        """At once, as by a crash."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def family(self):
        return [self.process.pid] + children(self.process.pid)

    def psql(self, sql, user=ROLE, database=ROLE):
        command = [os.path.join(self.bin, "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", self.folder, "-U", user, "-d", database, "-c", sql]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"psql: {done.stderr}")
        return done.stdout

    def rows(self, query):
        """The rows of a query, each a dictionary."""
        text = self.psql(f"SET search_path TO cart; SELECT row_to_json(r) FROM ({query}) AS r")
        return [json.loads(line) for line in text.splitlines() if line]

    def tables(self, *columns):
        """The names of the shop's tables that have these columns; not of their partitions."""
        wanted = "".join(
            f" AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = '{column}')" for column in columns
        )
        return self.psql(
            "SELECT relname FROM pg_class AS c WHERE relnamespace = 'cart'::regnamespace AND relkind IN ('r', 'p')"
            f" AND NOT relispartition{wanted} ORDER BY 1"
        ).split()

    def months_to_come(self):
        """The names of the partitions for what has not happened yet, the earliest first."""
        return self.psql(
            "SELECT relname FROM pg_class WHERE relnamespace = 'cart'::regnamespace AND relkind = 'r' AND relispartition"
            " AND substring(pg_get_expr(relpartbound, oid) FROM $$FROM .'([^']+)$$)::timestamptz > now() ORDER BY 1"
        ).split()

    def save(self):
        """A copy of everything; it must be stopped."""
        shutil.rmtree(self.data + ".old", ignore_errors=True)
        subprocess.run(["cp", "-a", self.data, self.data + ".old"], check=True)

    def go_back(self):
        shutil.rmtree(self.data)
        subprocess.run(["cp", "-a", self.data + ".old", self.data], check=True)
        self.start()


class System:
    """All of it. `cartd` and its syncer reach the stores through the proxies only, unless they are started otherwise."""

    def __init__(self, folder, binaries, workers, seed):
        self.folder = folder
        self.binaries = binaries
        os.chmod(folder, 0o711)
        self.redis = RedisServer(os.path.join(folder, "redis"))
        self.postgres = PostgresServer(os.path.join(folder, "postgres"))
        self.listen = os.path.join(folder, "cartd.sock")
        self.log = os.path.join(folder, "cartd.log")
        proxies = os.path.join(folder, "proxies")
        os.mkdir(proxies, 0o711)
        self.redis_proxy = ProxyProcess("redis", os.path.join(proxies, "redis.sock"), self.redis.socket, seed)
        name = ".s.PGSQL.5432"
        real = os.path.join(self.postgres.folder, name)
        self.postgres_proxy = ProxyProcess("postgres", os.path.join(proxies, name), real, seed)
        secret = os.path.join(folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex())
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("CART_", "PG"))}
        self.environment |= {"CART_LISTEN": f"unix:{self.listen}", "CART_GUEST_SECRET_FILE": secret}
        self.environment |= {"CART_WORKERS": str(workers), "CART_LOG_LEVEL": "notice"}
        # What one shopper may do in a minute is not what keeps him from harming others here.
        self.environment |= {"CART_TOUCH_LIMIT": "0"}
        self.syncer = None
        self.master = None
        # Other cartds on the same PostgreSQL.
        self.others = []
        # Owners of carts that somebody has made unreadable: nobody counts them.
        self.unreadable = set()
        self.cartctl("migrate")

    def stores(self):
        """Where the stores themselves are, as the configuration says it."""
        return {
            "CART_REDIS": f"unix:{self.redis.socket}",
            "CART_DATABASE": f"host={self.postgres.folder} port=5432 user={ROLE} dbname={ROLE}",
        }

    def run_cartctl(self, *arguments, **environment):
        """What became of a command, whatever that is."""
        return subprocess.run(
            [os.path.join(self.binaries, "cartctl"), *arguments], env=self.environment | self.stores() | environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip

    def cartctl(self, *arguments):
        done = self.run_cartctl(*arguments)
        if done.returncode:
            raise RuntimeError(f"cartctl {arguments[0]}: {done.stderr}")
        return done.stdout

    def go_through_proxies(self):
        """From here on cartd does; it must not have been started."""
        proxies = os.path.join(self.folder, "proxies")
        self.environment |= {
            "CART_REDIS": f"unix:{proxies}/redis.sock",
            "CART_DATABASE": f"host={proxies} port=5432 user={ROLE} dbname={ROLE}",
        }

    def start_cartd(self, is_direct=False):
        """Through the proxies, or to the stores themselves."""
        if is_direct:
            self.environment |= self.stores()
        else:
            self.go_through_proxies()
        self.master = self._cartd()
        wait_until(lambda: os.path.exists(self.listen) and self.workers(), 20, "cartd")
        time.sleep(0.2)
        if not self._syncers():
            self.syncer = self._cartd("--syncer")
        self.tell_victims()

    def _cartd(self, *arguments, stdin=None, **environment):
        with open(self.log, "ab") as log:
            return subprocess.Popen(
                [os.path.join(self.binaries, "cartd"), *arguments],
                env=self.environment | environment, stdin=stdin, stdout=log, stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip

    def own(self):
        """The processes that were started here, for whoever ends one of them or a child of theirs."""
        started = (*self.cartds(), self.redis.process, self.postgres.process)
        return [process.pid for process in started if process.poll() is None]

    def cartds(self):
        return [process for process in (self.master, self.syncer, *self.others) if process]

    def second_cartd(self, redis):
        """Another cartd on the same PostgreSQL with another Redis; the path at which it listens."""
        listen = os.path.join(self.folder, f"cartd{len(self.others)}.sock")
        self.others.append(self._cartd(CART_REDIS=f"unix:{redis.socket}", CART_LISTEN=f"unix:{listen}"))
        wait_until(lambda: os.path.exists(listen), 20, "the other cartd")
        return listen

    def tell_victims(self):
        """Which processes the proxies may kill at a step."""
        ancestors = [process.pid for process in self.cartds()]
        self.redis_proxy.order("victims", [*ancestors, self.redis.process.pid])
        self.postgres_proxy.order("victims", [*ancestors, self.postgres.process.pid])

    def _syncers(self):
        return [pid for pid in children(self.master.pid) if b"--syncer" in command_line(pid)]

    def syncers(self):
        """The syncers alive: the master's, or the one that runs beside it."""
        return self._syncers() + ([self.syncer.pid] if self.syncer and self.syncer.poll() is None else [])

    def workers(self):
        return [pid for pid in children(self.master.pid) if b"--worker" in command_line(pid)]

    def make_tasks_due(self):
        """Has the syncer do at once what it does from time to time."""
        with wire.Redis(self.redis.socket) as redis:
            redis("DEL", "cart:tasks")
        signal_own(self.master.pid, signal.SIGHUP, self.own())

    def tend(self):
        """Starts anew what a step has killed and nobody else starts. The caller sees to it that it is not alone."""
        if self.redis.process.poll() is not None:
            self.redis.start()
            self.tell_victims()
        if self.postgres.process.poll() is not None:
            self.postgres.start()
            self.tell_victims()
        if self.syncer and self.syncer.poll() is not None:
            self.syncer = self._cartd("--syncer")
            self.tell_victims()

    def stop(self):
        for proxy in (self.redis_proxy, self.postgres_proxy):
            proxy.order("hang", False)
        for process in reversed(self.cartds()):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                end(process)
        self.redis.kill()
        for pid in self.postgres.family():
            signal_own(pid, signal.SIGCONT, self.own())
        self.postgres.stop()
        self.redis_proxy.stop()
        self.postgres_proxy.stop()

