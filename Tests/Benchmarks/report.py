"""The results in words: tables in Markdown, and everything as JSON."""

import os
import pathlib
import platform
import re
import statistics

from measure import Cell
from systems import LABELS, REFERENCE, BarePHP, output


def machine():
    """What it was measured on, as far as it says so itself."""
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    commands = {"nginx": ("nginx", "-v"), "redis": ("redis-server", "--version"), "gcc": ("gcc", "--version")}
    if BarePHP.program():
        commands["php"] = (BarePHP.program(), "-v")
    found = {"system": platform.platform(), "cpu": model[1] if model else "unknown",
             "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0], "versions": {}}
    for name, command in commands.items():
        # nginx says its version on standard error.
        said = output("sh", "-c", '"$@" 2>&1', "sh", *command)
        found["versions"][name] = re.search(r"\d+(\.\d+)+", said.replace("(Debian", ""))[0]
    return found


def redis_bytes(shop, sizes):
    """What the carts take in Redis."""
    def usage(*keys):
        return sum(int(shop.redis_command("MEMORY", "USAGE", key, "SAMPLES", 0)) for key in keys)

    shoppers = {size: Cell("GET", size, 1).shopper for size in sizes}
    prefix = shop.variables.get("CART_REDIS_PREFIX", "")
    return {str(size): {"cartd": usage(f"{prefix}cart:user:{shopper}"),
                        "bare": usage(f"bare:lines:{shopper}", f"bare:quantities:{shopper}")}
            for size, shopper in shoppers.items()}


def plain(results):
    """For results.json: all rounds, and the ratios of pairs."""
    cells = [
        {"request": cell.kind, "lines": cell.lines, "connections": cell.connections, "bodyBytes": cell.body_bytes,
         "ratiosToC": {name: cell.ratios(name) for name in cell.body_bytes}, "rounds": cell.rounds}
        for cell in results["cells"]
    ]
    return results | {"cells": cells}


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(heads, rows):
    """The first column to the left, numbers to the right."""
    return "\n".join([row(*heads), row(*([":--"] + ["--:"] * (len(heads) - 1))), *(row(*cells) for cells in rows)])


def spread(ratios):
    if not ratios:
        return "–"
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def number(value, digits=0):
    return "–" if value is None else f"{value:,.{digits}f}"


def place(cell):
    return f"{cell.kind}, {cell.lines} line{'s' * (cell.lines > 1)}, {cell.connections}"


def names(results):
    return [name for name in LABELS if name in results["memory"]]


def present(cell, name, value):
    return value if name in cell.body_bytes else "starves"


def rates(results, kept):
    """Keep-alive on or off: requests per second, and the ratios of pairs to C without."""
    shown = [name for name in names(results) if name.endswith("_kept") == kept]
    heads = ["request, cart, connections"] + [LABELS[name] + " /s" for name in shown]
    heads += [LABELS[name] + " ÷ C" for name in shown if name != REFERENCE]
    pair = ("cartd_kept" if kept else "cartd", "php")
    heads += [f"{LABELS[pair[0]]} ÷ PHP-FPM"] * (pair[1] in names(results))
    rows = []
    for cell in results["cells"]:
        cells = [place(cell)] + [present(cell, name, number(cell.median(name, "rate"))) for name in shown]
        cells += [present(cell, name, spread(cell.ratios(name))) for name in shown if name != REFERENCE]
        cells += [spread(cell.ratios(*pair))] * (pair[1] in names(results))
        rows.append(cells)
    return table(heads, rows)


def latencies(results):
    shown = names(results)
    rows = [
        [place(cell)] + [
            present(cell, name, f"{number(cell.median(name, 'p50'), 1)} / {number(cell.median(name, 'p99'), 1)} / "
                                f"{number(cell.worst(name, 'worst'), 1)}")
            for name in shown
        ] for cell in results["cells"]
    ]
    return table(["request, cart, connections"] + [LABELS[name] for name in shown], rows)


PLACES = ("workers", "redis", "nginx")


def cpu(results):
    shown = names(results)
    rows = [
        [place(cell)] + [
            present(cell, name, " + ".join(number(cell.median(name, "cpu_" + what)) for what in PLACES))
            for name in shown
        ] for cell in results["cells"]
    ]
    return table(["request, cart, connections"] + [LABELS[name] for name in shown], rows)


def memory(results):
    rows = []
    for name, sizes in results["memory"].items():
        if name == "cartd_kept":
            continue
        label = "cartd (both)" if name == "cartd" else LABELS[name]
        workers, others = sizes["workers"], sizes["others"]
        rows.append([label, number(statistics.median(workers)), number(max(workers)), number(sum(others)),
                     number(sum(workers + others))])
    return table(["pool", "a worker, median", "the largest", "master and others", "together"], rows)


def sizes(results):
    rows = []
    for size, used in results["redis_bytes"].items():
        body = next(cell.body_bytes for cell in results["cells"] if str(cell.lines) == size)
        rows.append([size, number(body["cartd"]), number(body[REFERENCE]), number(used["cartd"]), number(used["bare"])])
    return table(["lines", "answer of cartd", "answer of C and PHP", "in Redis, cartd", "in Redis, C and PHP"], rows)


def markdown(results):
    settings, machine = results["settings"], results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"""# cartd, a bare C cart and a bare PHP cart behind one nginx

{settings["rounds"]} rounds of {settings["seconds"]} s, {settings["workers"]} workers each, seed {settings["seed"]}; \
{machine["cores"]} cores of {machine["cpu"]}, load {machine["load"]:.1f} before the start; {versions}. No request \
failed, and every add was found in its cart.

Rates are medians of the rounds. A ratio compares two turns of one round: the median, and the least and greatest in
brackets. C is `bare_cart.c` with a FastCGI connection per request.

## Requests per second, FastCGI connection per request (keep-alive off)

{rates(results, False)}

## Requests per second, FastCGI connections kept (keep-alive on)

{rates(results, True)}

## Latency, ms: median / 99th percentile / the worst of all rounds

{latencies(results)}

## CPU time of a request, µs: workers + Redis + nginx

{cpu(results)}

## Private memory after the load, kB

{memory(results)}

## Bytes of a cart

{sizes(results)}

From the start of cartd to its first answer: {results["start_seconds"] * 1000:.0f} ms (median of 5).
"""
