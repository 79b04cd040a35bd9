"""What is measured: cartd with its stores, the bare carts in C and PHP, and the one nginx before all of them."""

import glob
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse

from harness.processes import PATH, children, children_with, command_line, end, free_port, start
from harness.servers import ROOT
from harness.shop import Instance
from harness.web import Exchange

HERE = pathlib.Path(__file__).resolve().parent

# Pairs of a route and a keep-alive of nginx to it: each is one column. C once is what the others are compared with.
REFERENCE = "c"
LABELS = {
    "cartd_kept": "cartd, kept",
    "cartd": "cartd",
    "c_kept": "C, kept",
    "c": "C",
    "c_connecting": "C, own Redis connection",
    "php_kept": "PHP-FPM, kept",
    "php": "PHP-FPM",
}


class System:
    """One column: how nginx is asked for it, and the processes behind."""

    def __init__(self, name, url, workers, others=()):
        self.name, self.url, self.workers, self.others = name, url, sorted(workers), sorted(others)
        self.is_kept = name.endswith("_kept")
        is_cartd = name.startswith("cartd")
        self.cart, self.lines = (url + "/v1/cart", url + "/v1/cart/lines") if is_cartd else (url, url)
        # A libfcgi loop and a child of PHP-FPM serve nobody else while nginx keeps their connection: with more clients
        # than processes, some wait for as long as the others come back.
        self.most_connections = len(self.workers) if self.is_kept and not is_cartd else None


def answer_to(url, shopper, body=None, method=None):
    place = urllib.parse.urlsplit(url)
    method = method or ("GET" if body is None else "POST")
    return Exchange(url, method, place.path, body, {"Shopper": shopper}).finish()


def request(*what):
    """The JSON of the answer; any other answer than 200 is the end."""
    answer = answer_to(*what)
    if answer.status != 200:
        sys.exit(f"{what[0]}: {answer.status}: {answer.body[:500]!r}")
    return answer.json


def output(*command):
    """What a command prints; its failure is the end."""
    finished = subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True, env=os.environ | {"PATH": PATH})
    if finished.returncode != 0:
        sys.exit(f"{command[0]} failed ({finished.returncode}):\n{finished.stdout}{finished.stderr}")
    return finished.stdout.strip()


def begin(command, log, ending, how=signal.SIGTERM, **options):
    """Starts a server, which `ending` stops."""
    process = start(command, log, **options)
    ending.callback(end, process, how, 60)
    return process


def until(is_there, process, log):
    """Waits for the workers of a pool; a pool that ended, or half a minute, is the end."""
    deadline = time.monotonic() + 30
    while not is_there():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{process.args[-1]} does not start as it should:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def until_answered(url, process):
    """Seconds until the URL answers 200 for the first time."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        if process.poll() is not None:
            sys.exit(f"{process.args} ended while starting (status {process.returncode})")
        try:
            if answer_to(url, "nobody").status == 200:
                return time.monotonic() - started
        except OSError:
            pass
        time.sleep(0.005)
    sys.exit(f"{url} does not answer")


class Shop(Instance):
    """A running `nginx/up`: cartd, Redis and PostgreSQL. Its own nginx stays idle."""

    def __init__(self, folder, workers, ending):
        state, log = folder / "state", folder / "up.log"
        command = [ROOT / "nginx" / "up", "--empty", "--state", state, "--port", free_port(), "--workers", workers]
        # Whatever is set outside: the defaults of cartd are measured, without an access log.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CART_")}
        self.process = begin(command, log, ending, stdout=subprocess.PIPE, text=True, env=environment)
        if not self.process.stdout.readline().startswith("ready"):
            sys.exit("nginx/up failed:\n" + log.read_text()[-2000:])
        super().__init__(state)
        self.redis_socket = self.variables["CART_REDIS"].removeprefix("unix:")
        self.master = int((self.state / "cartd.pid").read_text())
        self.redis = int(re.search(r"process_id:(\d+)", self.redis_command("INFO", "server"))[1])
        self.postgres = int((self.state / "postgres" / "postmaster.pid").read_text().split()[0])
        # The first worker has answered nginx/up; the others may still be on their way.
        until(lambda: len(self.workers()) == workers, self.process, log)
        # Its log is rewritten between the cells, not in the middle of a turn.
        self.redis_command("CONFIG", "SET", "auto-aof-rewrite-percentage", 0)

    def redis_command(self, *words):
        return output("redis-cli", "-e", "-s", self.redis_socket, *words)

    def rewrite_log(self):
        self.redis_command("BGREWRITEAOF")
        while "aof_rewrite_in_progress:1" in self.redis_command("INFO", "persistence"):
            time.sleep(0.05)

    def workers(self):
        return children_with(self.master, "--worker")

    def others(self):
        return [self.master, *sorted(set(children(self.master)) - set(self.workers()))]

    def seconds_to_start(self, folder, url):
        """From the start of a cartd to its first answer, of five the one in the middle."""
        own = self.variables | {"CART_LISTEN": f"unix:{folder}/starting.sock", "CART_PID_FILE": str(folder / "pid")}
        times = []
        for _ in range(5):
            process = start([self.binaries / "cartd"], folder / "starting.log", own)
            try:
                times.append(until_answered(url + "/v1/cart", process))
            finally:
                end(process, seconds=60)
        return sorted(times)[2]


class BareC:
    """A pool of bare_cart.c: as many processes as cartd has workers, around one listening socket."""

    def __init__(self, folder, name, shop, count, ending, connects=False):
        # The processes inherit it.
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / f"{name}.sock"))
        listener.listen(1024)
        environment = os.environ | {"BARE_REDIS": shop.redis_socket} | ({"BARE_CONNECT": "1"} if connects else {})
        processes = [
            begin([folder / "bare_cart"], folder / f"{name}.log", ending, stdin=listener, env=environment)
            for _ in range(count)
        ]
        listener.close()
        self.pids = [process.pid for process in processes]

    @staticmethod
    def build(folder):
        libraries = ("-lfcgi", "-lhiredis", "-ljansson")
        output("gcc", "-O2", "-Wall", "-o", folder / "bare_cart", HERE / "bare_cart.c", *libraries)


FPM = """[global]
error_log = {folder}/php-errors.log
daemonize = no
"""

FPM_POOL = """
[{name}]
listen = {folder}/{name}.sock
listen.backlog = 1024
pm = static
pm.max_children = {count}
pm.max_requests = 0
clear_env = yes
env[BARE_REDIS] = {redis}
php_admin_value[opcache.enable] = 1
php_admin_value[opcache.validate_timestamps] = 0
"""


class BarePHP:
    """A PHP-FPM with static pools of bare_cart.php, as many children each as cartd has workers."""

    def __init__(self, folder, names, shop, count, ending):
        (folder / "fpm.conf").write_text(
            FPM.format(folder=folder)
            + "".join(FPM_POOL.format(folder=folder, name=name, count=count, redis=shop.redis_socket) for name in names)
        )
        # As root, its children stay root, like those of the other systems: they reach the same closed folder.
        options = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
        command = [self.program(), "--nodaemonize", "--fpm-config", folder / "fpm.conf", *options]
        self.process = begin(command, folder / "php-fpm.log", ending)
        until(lambda: all(len(self.pool(name)) == count for name in names), self.process, folder / "php-fpm.log")

    @staticmethod
    def program():
        """The newest PHP-FPM of Debian."""
        names = glob.glob("/usr/sbin/php-fpm[0-9]*")
        return max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)]) if names else None

    @classmethod
    def missing(cls):
        """What is not installed, or nothing."""
        if cls.program() is None:
            return "php-fpm"
        modules = output(cls.program(), "-m").split()
        return next((package for module, package in (("redis", "php-redis"), ("OPcache", "php-opcache"))
                     if module not in modules), None)

    def pool(self, name):
        return [pid for pid in children(self.process.pid) if " ".join(command_line(pid)).strip() == f"php-fpm: pool {name}"]


NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx-error.log error; worker_processes 1; {user}
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; fastcgi_temp_path {folder}/f; proxy_temp_path {folder}/p;
  scgi_temp_path {folder}/s; uwsgi_temp_path {folder}/u;
  include snippets/cartd-http.conf;
{upstreams}
{servers}
}}
"""

# Kept connections end soon after the last request, so that none is there in the next turn.
UPSTREAM = "  upstream {name} {{ server {address}; {keep} }}\n"
KEEP = "keepalive {workers}; keepalive_timeout 100ms;"

SERVER = """
  server {{
    listen 127.0.0.1:{port};
    set $cart_user $http_shopper;
    include snippets/cartd-error.conf;
{locations}
  }}
"""

LOCATION = "    location {path} {{ include {settings}; {more} fastcgi_pass {upstream}; }}\n"


class Nginx:
    """One nginx with a server for each way of keep-alive, and one for the cartd whose start is timed."""

    def __init__(self, folder, addresses, workers, ending):
        settings = (ROOT / "nginx" / "cartd-fastcgi.conf").read_text()
        once, count = re.subn(r"(fastcgi_keep_conn\s+)on;", r"\1off;", settings)
        if count != 1:
            sys.exit("nginx/cartd-fastcgi.conf does not say fastcgi_keep_conn on")
        (folder / "once.conf").write_text(once)
        (folder / "snippets").symlink_to(ROOT / "nginx")
        self.urls, servers, upstreams = {}, {}, ""
        for name, address in addresses.items():
            is_kept = name.endswith("_kept")
            upstreams += UPSTREAM.format(name=name, address=address, keep=KEEP.format(workers=workers) * is_kept)
            server = name if name == "starting" else "kept" if is_kept else "once"
            is_cartd = name == "starting" or name.startswith("cartd")
            script = f'fastcgi_param SCRIPT_FILENAME "{HERE}/bare_cart.php";'
            servers[server] = servers.get(server, "") + LOCATION.format(
                path="/v1/" if is_cartd else f"/{name}", upstream=name, more=script * name.startswith("php"),
                settings="snippets/cartd-fastcgi.conf" if is_kept else f"{folder}/once.conf")
            self.urls[name] = (server, "" if is_cartd else f"/{name}")
        ports = {server: free_port() for server in servers}
        self.urls = {name: f"http://127.0.0.1:{ports[server]}{path}" for name, (server, path) in self.urls.items()}
        (folder / "nginx.conf").write_text(NGINX.format(
            folder=folder, user="user root;" if os.geteuid() == 0 else "", upstreams=upstreams,
            servers="".join(SERVER.format(port=ports[name], locations=text) for name, text in servers.items())))
        command = ["nginx", "-e", folder / "nginx-error.log", "-p", folder, "-c", folder / "nginx.conf"]
        self.process = begin(command, folder / "nginx.log", ending)
        until_answered(self.urls["cartd"] + "/v1/cart", self.process)
        self.pids = [self.process.pid] + children(self.process.pid)


def missing_programs():
    return [name for name in ("wrk", "gcc", "nginx", "redis-cli", "setpriv") if not shutil.which(name, path=PATH)]


def start_all(folder, workers, ending):
    """Starts everything; returns the shop, nginx and the systems by name."""
    BareC.build(folder)
    shop = Shop(folder, workers, ending)
    addresses = {"cartd_kept": shop.variables["CART_LISTEN"], "cartd": shop.variables["CART_LISTEN"],
                 "starting": f"unix:{folder}/starting.sock"}
    pools = {"cartd_kept": (shop.workers(), shop.others()), "cartd": (shop.workers(), shop.others())}
    for name in ("c_kept", "c", "c_connecting"):
        pools[name] = (BareC(folder, name, shop, workers, ending, connects=name == "c_connecting").pids, [])
    if BarePHP.missing():
        print(f"The columns of PHP are left out: {BarePHP.missing()} is missing. "
              "For them: apt-get install php-fpm php-redis", flush=True)
    else:
        php = BarePHP(folder, ("php_kept", "php"), shop, workers, ending)
        pools |= {name: (php.pool(name), [php.process.pid]) for name in ("php_kept", "php")}
    addresses |= {name: f"unix:{folder}/{name}.sock" for name in pools if not name.startswith("cartd")}
    nginx = Nginx(folder, addresses, workers, ending)
    return shop, nginx, {name: System(name, nginx.urls[name], *pools[name]) for name in LABELS if name in pools}
