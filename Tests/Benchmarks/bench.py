#!/usr/bin/env python3
"""Measures cartd against bare_cart.c behind one nginx, in one run.

Starts an instance with `nginx/up`, spawns as many bare_cart processes as cartd has workers, puts an nginx with the
project's own FastCGI settings before both, and lets wrk load them by turns: GET and add on a cart of five lines. Then
prints, as a table, requests per second and their ratios, CPU time for a request (which says something on a busy machine
too), the bytes of such a cart in Redis, the private memory of the
workers, and the time from the start to the first answer. Needs wrk, spawn-fcgi and gcc; not part of the tests.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SKUS = ["85123A", "71053", "84406B", "84029G", "22752"]
USER = "17850.0"

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log error; worker_processes {nginx_workers}; user root;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/b; fastcgi_temp_path {folder}/f; proxy_temp_path {folder}/p;
  scgi_temp_path {folder}/s; uwsgi_temp_path {folder}/u;
  include snippets/cartd-http.conf;
  upstream cartd {{ server {cartd}; keepalive {workers}; }}
  upstream bare {{ server unix:{folder}/bare.sock; keepalive {workers}; }}
  upstream pipelined {{ server unix:{folder}/pipelined.sock; keepalive {workers}; }}
  upstream starting {{ server unix:{folder}/starting.sock; }}
  server {{
    listen 127.0.0.1:{port};
    set $cart_user "";
    include snippets/cartd-error.conf;
    location /v1/ {{ set $cart_user "{user}"; include snippets/cartd-fastcgi.conf; fastcgi_pass cartd; }}
    location /kept/bare {{ include snippets/cartd-fastcgi.conf; fastcgi_pass bare; }}
    location /kept/pipelined {{ include snippets/cartd-fastcgi.conf; fastcgi_pass pipelined; }}
    location /once/bare {{ include {folder}/once.conf; fastcgi_pass bare; }}
    location /once/pipelined {{ include {folder}/once.conf; fastcgi_pass pipelined; }}
  }}
  server {{
    listen 127.0.0.1:{second_port};
    set $cart_user "";
    include snippets/cartd-error.conf;
    location /v1/ {{ include snippets/cartd-fastcgi.conf; fastcgi_pass starting; }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(url, body=None, method=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    payload = json.dumps(body).encode() if body is not None else None
    call = urllib.request.Request(url, data=payload, headers=headers, method=method)
    with urllib.request.urlopen(call, timeout=10) as answer:
        return json.load(answer)


def until_answered(url, process):
    """Seconds until the URL answers 200 for the first time."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        if process.poll() is not None:
            sys.exit(f"a server ended while starting (status {process.returncode})")
        with contextlib.suppress(urllib.error.URLError, OSError):
            request(url)
            return time.monotonic() - started
    sys.exit(f"{url} does not answer")


def stop(process, how=signal.SIGTERM):
    if process.poll() is None:
        process.send_signal(how)
        process.wait(timeout=60)


class Instance:
    """A running `nginx/up` with its variables."""

    def __init__(self, folder, workers, port):
        self.state = folder / "state"
        self.log = open(folder / "up.log", "w+", encoding="utf-8")
        self.seconds = self.start(workers, port)
        script = 'set -a; . "$0"; env -0'
        text = subprocess.run(["/bin/sh", "-c", script, self.state / "env"], check=True, capture_output=True).stdout
        self.variables = dict(entry.decode().split("=", 1) for entry in text.split(b"\0") if b"=" in entry)
        self.redis = self.variables["CART_REDIS"].removeprefix("unix:")

    def start(self, workers, port):
        """The second start is what is timed: the first one builds and makes the databases."""
        command = [ROOT / "nginx" / "up", "--empty", "--state", self.state, "--port", port, "--workers", workers]
        for attempt in (1, 2):
            started = time.monotonic()
            self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=self.log, text=True)
            line = self.process.stdout.readline()
            if not line.startswith("ready"):
                self.log.seek(0)
                sys.exit("nginx/up failed:\n" + self.log.read()[-2000:])
            seconds = time.monotonic() - started
            if attempt == 1:
                self.stop()
        return seconds

    def cartctl(self, *arguments):
        subprocess.run([self.state / "bin" / "cartctl", *arguments], check=True, env=self.variables, stdout=subprocess.DEVNULL)

    def redis_command(self, *words):
        command = ["redis-cli", "-s", self.redis, *map(str, words)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def workers(self):
        master = int((self.state / "cartd.pid").read_text())
        children = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(entry.read_text().rpartition(")")[2].split()[1]) == master:
                    children.append(int(entry.parent.name))
        return sorted(children)

    def stop(self):
        stop(self.process)


def spawn_bare(folder, name, count, redis, pipeline):
    """Spawns bare_cart processes; returns their pids."""
    environment = os.environ | {"BARE_REDIS": redis} | ({"BARE_PIPELINE": "1"} if pipeline else {})
    command = ["spawn-fcgi", "-s", folder / f"{name}.sock", "-F", count, "-b", 1024, "-M", "0666", "-P",
               folder / f"{name}.pids", "--", folder / "bare_cart"]
    subprocess.run(list(map(str, command)), check=True, env=environment, stdout=subprocess.DEVNULL)
    return [int(pid) for pid in (folder / f"{name}.pids").read_text().split()]


def load(url, seconds, connections, script=None):
    """Requests per second, how many there were, and how many took longer than wrk's two seconds."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", url]
    if script:
        command[1:1] = ["-s", str(script)]
    environment = os.environ | {"BENCH_SKU": SKUS[0]}
    text = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if "Non-2xx" in text or errors and any(map(int, errors.groups()[:3])):
        sys.exit(f"{url}: failed requests:\n{text}")
    rate, count = re.search(r"Requests/sec:\s*([\d.]+)", text)[1], re.search(r"(\d+) requests in", text)[1]
    return float(rate), int(count), int(errors[4]) if errors else 0


def cpu_microseconds(pids):
    """What the processes have used so far, in user and kernel mode."""
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1_000_000 / os.sysconf("SC_CLK_TCK")


def private_kilobytes(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+) kB", text, re.MULTILINE))


def fill(instance, url):
    products = [
        {"sku": sku, "name": f"Product {sku}", "unitPrice": 255, "currency": "GBP", "picture": f"/p/{sku}.jpg"}
        for sku in SKUS
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
        file.writelines(json.dumps(product) + "\n" for product in products)
        file.flush()
        instance.cartctl("catalog", "import", file.name)
    request(url + "/v1/cart/lines", {"lines": [{"sku": sku, "quantity": 6} for sku in SKUS]})
    for sku in SKUS:
        instance.redis_command("HSET", "bare:cart", sku, 6)


class Turn:
    """One load on one target: requests per second, and CPU time for a request in the target and in Redis."""

    def __init__(self, url, options, connections, script, pids, redis_pid):
        own, redis = cpu_microseconds(pids), cpu_microseconds([redis_pid])
        self.rate, count, self.late = load(url, options.seconds, connections, script)
        self.own = (cpu_microseconds(pids) - own) / count
        self.redis = (cpu_microseconds([redis_pid]) - redis) / count


def compare(url, options, connections, targets, redis_pid):
    """For each request the rounds, each a dictionary: name of the target → turn.

    A process of libfcgi that keeps a connection serves no other: up to as many connections as processes, bare_cart
    keeps them, its best case; with more, nginx opens a new one to it for each request, and keeps cartd's.
    """
    way = "/kept" if connections <= options.workers else "/once"
    results = {}
    for name, script, path in (("GET", None, "/v1/cart"), ("add", HERE / "add.lua", "/v1/cart/lines")):
        paths = {"cartd": path, "bare": way + "/bare"} | ({"pipelined": way + "/pipelined"} if script else {})
        for target in paths.values():
            load(url + target, 1, connections, script)
        results[name] = []
        for turn in range(options.rounds):
            measured = {}
            for target in list(paths) if turn % 2 == 0 else list(paths)[::-1]:
                if script:
                    # A line holds at most a million pieces.
                    request(f"{url}/v1/cart/lines/{SKUS[0]}", {"quantity": 1}, "PATCH")
                measured[target] = Turn(url + paths[target], options, connections, script, targets[target], redis_pid)
            results[name].append(measured)
    return results


def show(results, options, connections):
    print(f"\n{'':26} {'requests/s':>17}        {'CPU µs a request, itself + Redis':>34}")
    print(f"{'request, against':26} {'cartd':>8} {'bare':>8} {'ratio':>6} {'cartd':>16} {'bare':>16}  ratios of each round")
    for name, rounds in results.items():
        for target, label in (("bare", "bare_cart"), ("pipelined", "one round trip")):
            if target not in rounds[0]:
                continue
            ratios = [row["cartd"].rate / row[target].rate for row in rounds]

            def middle(who, what):
                return statistics.median(getattr(row[who], what) for row in rounds)

            print(
                f"{name + ', ' + label:26} {middle('cartd', 'rate'):8.0f} {middle(target, 'rate'):8.0f}"
                f" {statistics.median(ratios):6.2f}"
                f" {middle('cartd', 'own'):9.0f} + {middle('cartd', 'redis'):4.0f}"
                f" {middle(target, 'own'):9.0f} + {middle(target, 'redis'):4.0f}  "
                + " ".join(f"{ratio:.2f}" for ratio in ratios)
            )
        for who in rounds[0]:
            if late := sum(row[who].late for row in rounds):
                print(f"{name}: {late} answers of {who} took more than 2 s")
    print(f"({options.rounds} rounds of {options.seconds} s, {connections} connections, medians)\n")


def main():
    parser = argparse.ArgumentParser(description="Measures cartd against a bare C program behind one nginx.")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=4, help="of each turn")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--connections", type=int, nargs="+", default=[4, 32], help="of wrk, one table for each")
    parser.add_argument("--nginx-workers", type=int, default=1)
    options = parser.parse_args()
    for program in ("wrk", "spawn-fcgi", "gcc", "nginx"):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"{program} is missing: apt-get install wrk spawn-fcgi gcc nginx libfcgi-dev libhiredis-dev")

    # So that an end from outside, too, stops what was started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cart-bench-"))
    ending = contextlib.ExitStack()
    with ending:
        ending.callback(shutil.rmtree, folder)
        source = HERE / "bare_cart.c"
        subprocess.run(["gcc", "-O2", "-o", folder / "bare_cart", source, "-lfcgi", "-lhiredis"], check=True)
        instance = Instance(folder, options.workers, free_port())
        ending.callback(instance.stop)
        measure(instance, folder, options, ending)


def measure(instance, folder, options, ending):
    targets = {"cartd": instance.workers()}
    for name, pipeline in (("bare", False), ("pipelined", True)):
        targets[name] = spawn_bare(folder, name, options.workers, instance.redis, pipeline)
        for pid in targets[name]:
            ending.callback(os.kill, pid, signal.SIGTERM)
    port, second_port = free_port(), free_port()
    (folder / "snippets").symlink_to(ROOT / "nginx")
    settings = (ROOT / "nginx" / "cartd-fastcgi.conf").read_text()
    (folder / "once.conf").write_text(re.sub(r"(fastcgi_keep_conn\s+)\w+", r"\1off", settings))
    (folder / "nginx.conf").write_text(
        NGINX.format(folder=folder, cartd=instance.variables["CART_LISTEN"], workers=options.workers, port=port,
                     second_port=second_port, user=USER, nginx_workers=options.nginx_workers)
    )
    nginx = subprocess.Popen(["nginx", "-e", folder / "error.log", "-p", folder, "-c", folder / "nginx.conf"],
                             env=os.environ | {"PATH": os.environ["PATH"] + ":/usr/sbin"})
    ending.callback(stop, nginx)
    url = f"http://127.0.0.1:{port}"
    until_answered(url + "/v1/cart", nginx)
    fill(instance, url)

    key = instance.variables.get("CART_REDIS_PREFIX", "") + "cart:user:" + USER
    size = instance.redis_command("MEMORY", "USAGE", key, "SAMPLES", 0)
    redis_pid = int(re.search(r"process_id:(\d+)", instance.redis_command("INFO", "server"))[1])
    for connections in options.connections:
        show(compare(url, options, connections, targets, redis_pid), options, connections)
    print(f"5-line cart in Redis: {size} bytes after one add (aim 700),"
          f" {instance.redis_command('MEMORY', 'USAGE', key, 'SAMPLES', 0)} after the load")

    memory = {pid: private_kilobytes(pid) for pid in instance.workers()}
    print("private memory of cartd's children after the load, kB:", ", ".join(map(str, memory.values())),
          "(aim of a worker 3,072 after 10,000 requests)")

    own = instance.variables | {"CART_LISTEN": f"unix:{folder}/starting.sock", "CART_PID_FILE": str(folder / "pid")}
    times = []
    for _ in range(5):
        started = subprocess.Popen([instance.state / "bin" / "cartd"], env=own, stdout=instance.log, stderr=instance.log)
        times.append(until_answered(f"http://127.0.0.1:{second_port}/v1/cart", started))
        stop(started)
    print(f"from the start of cartd to its first answer: {statistics.median(times) * 1000:.0f} ms (median of 5)")
    print(f"from the start of nginx/up, built and with data, to ready: {instance.seconds:.1f} s")


if __name__ == "__main__":
    main()
