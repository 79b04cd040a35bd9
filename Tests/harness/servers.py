"""A Redis, a PostgreSQL and an nginx of one's own, and gates before their sockets."""

import contextlib
import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import threading

from harness import wire
from harness.processes import PATIENCE, children, end, free_port, start, wait_until
from harness.web import Exchange

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Who owns a shop's tables in a PostgreSQL that is made here, and the name of its database.
ROLE = "cart"
MANIFEST = """file appendonly.aof.1.base.rdb seq 1 type b
file appendonly.aof.1.incr.aof seq 1 type i
"""


class RedisServer:
    """A Redis with a socket and a port, as `nginx/up` starts it: it writes everything it does to its append-only file,
    unless it keeps nothing."""

    def __init__(self, folder, follows=None, keeps=True):
        self.folder = str(folder)
        self.socket = os.path.join(self.folder, "redis.sock")
        self.port = free_port()
        self.keeps = keeps
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        self.start(["--replicaof", f"127.0.0.1 {follows.port}"] if follows else [])

    def start(self, more=(), environment=None):
        self.process = start(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--unixsocket", self.socket]
            + ["--dir", self.folder, "--save", "", "--appendonly", "yes" if self.keeps else "no"]
            + ["--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--hash-max-listpack-value", "256"]
            # Without replicas for so long, it begins another history, and again when the next one comes.
            + ["--repl-diskless-sync-delay", "0", "--repl-backlog-ttl", "1", *more],
            os.path.join(self.folder, "log"), os.environ | (environment or {}), at_end="KILL")  # fmt: skip
        wait_until(self.answers, PATIENCE, "Redis")

    def ask(self, *words):
        with wire.Redis(self.socket) as redis:
            return redis(*words)

    def answers(self):
        try:
            return self.ask("PING") == "PONG"
        except (OSError, wire.RedisError):
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        end(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def save(self):
        """A snapshot, which `go_back` puts back."""
        self.ask("SAVE")
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


def psql(database, sql):
    """What the statements answer, without names and frames. `database`: a connection string."""
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr}")
    return done.stdout


class PostgresServer:
    """A cluster of its own. It refuses to run as root."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.data = os.path.join(self.folder, "data")
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))[-1]
        self.process = None
        os.makedirs(self.folder)
        self.identity = {"cwd": "/"}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.identity |= {"user": account.pw_uid, "group": account.pw_gid}
        done = subprocess.run(
            [os.path.join(self.bin, "initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "--encoding=UTF8"]
            + ["--locale=C", "-N", "--wal-segsize=1"],
            capture_output=True, text=True, check=False, **self.identity)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr}")
        self.start()
        self.psql(f"CREATE ROLE {ROLE} LOGIN", "postgres", "postgres")
        self.psql(f"CREATE DATABASE {ROLE} OWNER {ROLE}", "postgres", "postgres")

    def start(self):
        self.process = start(
            [os.path.join(self.bin, "postgres"), "-D", self.data, "-c", "listen_addresses=", "-c", "fsync=off"]
            + ["-c", f"unix_socket_directories={self.folder}", "-c", "timezone=UTC", "-c", "max_wal_size=64MB"],
            os.path.join(self.folder, "log"), at_end="KILL", **self.identity)  # fmt: skip
        ready = [os.path.join(self.bin, "pg_isready"), "-q", "-h", self.folder]
        wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, 30, "PostgreSQL")

    def stop(self):
        """At once, as by a crash."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def family(self):
        return [self.process.pid] + children(self.process.pid)

    def database(self, user=ROLE, database=ROLE):
        """How it is connected to."""
        return f"host={self.folder} port=5432 user={user} dbname={database}"

    def psql(self, sql, user=ROLE, database=ROLE):
        return psql(self.database(user, database), sql)

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


class Nginx:
    """An nginx with a configuration of one's own. Its files lie under `prefix`; paths of sockets begin above that."""

    # Of its workers, where its master is root's.
    USER = "user www-data;" if os.geteuid() == 0 else ""

    def __init__(self, prefix, text, url):
        self.url = url
        (prefix / "nginx.conf").write_text(text)
        command = ["nginx", "-e", prefix / "error.log", "-p", f"{prefix}/", "-c", "nginx.conf"]
        self.process = start(command, prefix / "log", cwd=prefix.parent)
        wait_until(self.answers, PATIENCE, "nginx")

    def answers(self):
        """It accepts connections; no request is sent."""
        host, port = self.url.rpartition("/")[2].split(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
            return True

    def ask(self, method, target, body=None, user=None, guest=None, **headers):
        """One request on a connection of its own."""
        return self.start(method, target, body, user, guest, **headers).finish()

    def start(self, method, target, body=None, user=None, guest=None, **headers):
        return Exchange(self.url, method, target, body, headers, user, guest)

    def stop(self):
        end(self.process)


class DemoNginx(Nginx):
    """One with the demo's configuration, before the socket `cartd.sock` in `folder`."""

    def __init__(self, folder, name="nginx"):
        prefix, self.port = folder / name, free_port()
        for part in ("tmp", "www"):
            (prefix / part).mkdir(parents=True)
        (prefix / "snippets").symlink_to(ROOT / "nginx")
        text = (ROOT / "nginx" / "demo" / "nginx.conf.template").read_text()
        text = text.replace("@USER@", self.USER).replace("@PORT@", str(self.port))
        super().__init__(prefix, text, f"http://127.0.0.1:{self.port}")


class Gate:
    """Before a unix socket, or before a port: it can be shut, so that the other is away, or hold back what comes, as a
    broken cable does, of which nobody is told."""

    def __init__(self, target, path=None):
        self.target, self.path = target, path and str(path)
        self.flows = threading.Event()
        self.flows.set()
        self.sockets = set()
        self.open()

    def open(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
            os.chmod(self.path, 0o666)
            self.listener.listen(64)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def shut(self):
        if self.path:
            os.unlink(self.path)
        for one in [self.listener, *self.sockets]:
            self._end(one)
        self.listener.close()
        self.sockets.clear()

    def hold(self):
        self.flows.clear()

    def release(self):
        self.flows.set()

    @staticmethod
    def _end(one):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

    def _far(self):
        if not self.path:
            return socket.create_connection(("127.0.0.1", self.target))
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(self.target))
        return far

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = self._far()
                self.sockets |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                sink.sendall(data)
        self._end(source)
        self._end(sink)
        self.sockets.discard(source)
        source.close()
