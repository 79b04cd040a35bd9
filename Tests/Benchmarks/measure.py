"""The measurement: cells, in each of them rounds, in each round a turn of every system in an order by chance."""

import json
import os
import random
import statistics
import subprocess
import sys
import time

from harness.processes import PATH, stat
from systems import HERE, REFERENCE, request

QUANTITY = 6


class Cell:
    """A request on a cart of so many lines, from so many connections; what each system did, round by round."""

    def __init__(self, kind, lines, connections):
        self.kind, self.lines, self.connections = kind, lines, connections
        self.body_bytes = {}
        # Each a dictionary: name of the system → what `Bench.turn` returns.
        self.rounds = []

    @property
    def shopper(self):
        return f"bench-{self.lines}"

    @property
    def skus(self):
        return skus(self.lines)

    @property
    def sku(self):
        """The line that an add adds to: one in the middle, so that the cart keeps its size."""
        return self.skus[self.lines // 2]

    def median(self, name, what):
        values = [row[name][what] for row in self.rounds if name in row]
        return statistics.median(values) if values else None

    def worst(self, name, what):
        return max((row[name][what] for row in self.rounds if name in row), default=None)

    def ratios(self, name, to=REFERENCE):
        """Pair by pair: in each round this one's requests per second by the other's."""
        return [row[name]["rate"] / row[to]["rate"] for row in self.rounds if name in row and to in row]


def skus(count):
    return [f"{20000 + number}B" for number in range(count)]


def product(sku):
    return {"sku": sku, "name": f"WHITE HANGING HEART {sku}", "picture": f"/p/{sku}.jpg", "unitPrice": 255}


def cpu_microseconds(pids):
    """What the processes have used so far, in user and kernel mode."""
    fields = [stat(pid) for pid in pids]
    if [] in fields:
        sys.exit("a process ended while it was measured")
    return sum(int(of[11]) + int(of[12]) for of in fields) * 1_000_000 / os.sysconf("SC_CLK_TCK")


def fill(shop, systems, sizes):
    """The same lines into cartd's carts, by its own requests, and into those of the bare ones."""
    shop.import_products(product(sku) | {"currency": "GBP"} for sku in skus(max(sizes)))
    bare = {"merchantId": "main", "selected": True, "addedAt": "2026-11-22T10:00:00Z"}
    for size in sizes:
        shopper, lines, quantities = Cell("GET", size, 1).shopper, [], []
        for start in range(0, size, 100):
            added = [{"sku": sku, "quantity": QUANTITY} for sku in skus(size)[start:start + 100]]
            request(systems["cartd"].lines, shopper, {"lines": added})
        for sku in skus(size):
            lines += [sku, json.dumps(product(sku) | bare, separators=(",", ":"))]
            quantities += [sku, QUANTITY]
        shop.redis_command("HSET", f"bare:lines:{shopper}", *lines)
        shop.redis_command("HSET", f"bare:quantities:{shopper}", *quantities)


class Bench:
    def __init__(self, shop, nginx, systems, chosen):
        self.shop, self.nginx, self.systems = shop, nginx, systems
        self.seconds, self.rounds, self.starving = chosen.seconds, chosen.rounds, chosen.starving
        self.chance, self.warm = random.Random(chosen.seed), set()

    def measure(self, cell):
        """Checks the systems, warms them up once for each size, and goes through the rounds of the cell."""
        present = [system for system in self.systems.values()
                   if self.starving or cell.connections <= (system.most_connections or cell.connections)]
        self.shop.rewrite_log()
        for system in present:
            self.check_add(cell, system)
            # Compact, as all of them answer.
            cell.body_bytes[system.name] = len(json.dumps(self.cart(cell, system), separators=(",", ":")))
            # Then its processes know the products.
            if (system.name, cell.lines) not in self.warm:
                self.warm.add((system.name, cell.lines))
                self.turn(cell, system, 1)
        for _ in range(self.rounds):
            order = list(present)
            self.chance.shuffle(order)
            cell.rounds.append({system.name: self.turn(cell, system, self.seconds) for system in order})

    def turn(self, cell, system, seconds):
        """One load on one system: rate, latencies in milliseconds, CPU time by request in microseconds."""
        self.set_quantity(cell, system, 1)
        self.expect(cell, system, self.cart(cell, system), 1, 1)
        pids = {"workers": system.workers + system.others, "redis": [self.shop.redis], "nginx": self.nginx.pids}
        before = {name: cpu_microseconds(some) for name, some in pids.items()}
        result = load(cell, system, seconds)
        # Until what was under way when wrk ended has gone, and nginx has closed what it kept.
        time.sleep(0.15)
        count = result["requests"]
        cpu = {name: (cpu_microseconds(some) - before[name]) / count for name, some in pids.items()}
        # Every add must be in the cart, and so may those be that wrk did not wait for.
        least, most = (1 + count, 1 + count + cell.connections) if cell.kind == "add" else (1, 1)
        self.expect(cell, system, self.cart(cell, system), least, most)
        return {
            "rate": count / result["microseconds"] * 1e6, "requests": count,
            "p50": result["p50"] / 1000, "p99": result["p99"] / 1000, "worst": result["worst"] / 1000,
        } | {"cpu_" + name: value for name, value in cpu.items()}

    # --- checks -------------------------------------------------------------------------------------------------------

    def cart(self, cell, system):
        return request(system.cart, cell.shopper)

    def check_add(self, cell, system):
        """An add answers the whole cart, with one piece more."""
        self.set_quantity(cell, system, 1)
        cart = request(system.lines, cell.shopper, {"sku": cell.sku, "quantity": 1})
        self.expect(cell, system, cart, 2, 2)

    def set_quantity(self, cell, system, quantity):
        if system.name.startswith("cartd"):
            request(f"{system.lines}/{cell.sku}", cell.shopper, {"quantity": quantity}, "PATCH")
        else:
            self.shop.redis_command("HSET", f"bare:quantities:{cell.shopper}", cell.sku, quantity)

    def expect(self, cell, system, cart, least, most):
        """The cart has each of its lines once, and the one that is added to has a quantity within the bounds."""
        quantities = {line["sku"]: line["quantity"] for line in cart["lines"]}
        others = [amount for sku, amount in quantities.items() if sku != cell.sku]
        if len(cart["lines"]) != cell.lines or sorted(quantities) != cell.skus or set(others) - {QUANTITY}:
            sys.exit(f"{system.name} answers another cart than that of {cell.shopper}")
        if not least <= quantities[cell.sku] <= most:
            sys.exit(f"{system.name}, {cell.shopper}: {quantities[cell.sku]} of {cell.sku}, not {least} to {most}")


def load(cell, system, seconds):
    body = {"BENCH_BODY": json.dumps({"sku": cell.sku, "quantity": 1})} if cell.kind == "add" else {}
    url = system.lines if cell.kind == "add" else system.cart
    return wrk("load.lua", url, cell.connections, seconds, BENCH_SHOPPER=cell.shopper, **body)


def wrk(script, url, connections, seconds, **variables):
    """What wrk did: its requests, microseconds and latencies; any other answer than the one wanted is the end."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s",
               "--timeout", "20s", "--script", str(HERE / script), url]
    environment = os.environ | {"PATH": PATH} | variables
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("result ")), None)
    if done.returncode != 0 or line is None:
        sys.exit(f"wrk failed:\n{done.stdout}{done.stderr}")
    result = json.loads(line.removeprefix("result "))
    if result["errors"] or result["requests"] == 0:
        sys.exit(f"{url}, {connections} connections failed: {result}")
    return result
