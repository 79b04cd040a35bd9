#!/usr/bin/env python3
"""Replays the invoices of the "Online Retail" data (UCI Machine Learning Repository) as carts.

Each invoice becomes a cart: of a guest where the data has no customer, of the user `CustomerID` where it has one (who
comes back: the cart is cleared between invoices). The lines are added alone and in bulks of up to 100, over several
connections; different shoppers shop at the same time. Then each cart is read and compared with the sums of the data:
the quantity of each SKU, the order of the first adds, prices, totals, counts, the version. Exits 1 on a mismatch.

The file is the CSV, also gzipped. The catalogue must be imported before (`cartctl catalog import --format
online-retail FILE`), or give `--state` and it is.
"""

import argparse
import csv
import decimal
import gzip
import multiprocessing
import random
import sys
import time

from harness.shop import LINES, URL, Instance
from harness.web import Client, Unexpected

PRINTED_MISMATCHES = 20


def read_rows(path):
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def moment(text):
    """A sortable form of `2010-12-01 08:26:00` or `12/1/2010 8:26`."""
    if "/" not in text:
        return text
    day, _, clock = text.partition(" ")
    month, day, year = (int(part) for part in day.split("/"))
    hour, minute = (int(part) for part in clock.split(":")[:2])
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:00"


class Data:
    """What the file says, by the rules of the importer."""

    def __init__(self, path):
        self.prices = {}
        self.names = {}
        self.invoices = {}
        self.skipped = 0
        latest = {}
        for row in read_rows(path):
            sku = row["StockCode"]
            description = row["Description"].strip()
            names = self.names.setdefault(sku, [None, None])
            names[0] = names[0] or description
            quantity, price = int(row["Quantity"]), decimal.Decimal(row["UnitPrice"])
            if row["InvoiceNo"].startswith("C") or quantity <= 0 or price <= 0:
                self.skipped += 1
                continue
            names[1] = names[1] or description
            when = moment(row["InvoiceDate"])
            if when >= latest.get(sku, ""):
                latest[sku] = when
                self.prices[sku] = int((price * 100).quantize(decimal.Decimal(1), decimal.ROUND_HALF_UP))
            invoice = self.invoices.setdefault((row["InvoiceNo"], row["CustomerID"]), [])
            invoice.append((sku, quantity))

    def is_name(self, sku, name):
        """Descriptions of rows that are skipped may or may not count; the name is one of the two, else the SKU."""
        return name.strip() in {known or sku for known in self.names[sku]}


def chunks(lines, randomness):
    """Cuts the lines of an invoice into single adds and bulks of 2 to 100."""
    position = 0
    while position < len(lines):
        size = 1 if randomness.random() < 0.4 else min(randomness.choice([2, 5, 20, 100]), len(lines) - position)
        yield lines[position : position + size]
        position += size


def expected_cart(data, lines):
    quantities = {}
    for sku, quantity in lines:
        quantities[sku] = quantities.get(sku, 0) + quantity
    total = sum(quantity * data.prices[sku] for sku, quantity in quantities.items())
    count = sum(quantities.values())
    return quantities, {
        "currency": "GBP",
        "minorUnit": 2,
        "merchants": [
            {"merchantId": "main", "selection": "all", "lines": len(quantities), "selectedTotal": total}
        ],
        "counts": {
            "lines": len(quantities),
            "quantity": count,
            "selectedLines": len(quantities),
            "selectedQuantity": count,
        },
        "totals": {"all": total, "selected": total},
        "problems": [],
    }


def compare(data, lines, cart, version, owner):
    """The differences between a cart and the data, as texts."""
    quantities, expected = expected_cart(data, lines)
    expected["version"] = version
    expected["owner"] = owner
    found = [f"{key}: {cart.get(key)!r}, not {value!r}" for key, value in expected.items() if cart.get(key) != value]
    skus = [line["sku"] for line in cart["lines"]]
    if skus != list(quantities):
        found.append("the lines stand in another order, or are others")
    for line in cart["lines"]:
        sku = line["sku"]
        if sku not in quantities:
            continue
        price = data.prices[sku]
        wanted = {
            "quantity": quantities[sku],
            "merchantId": "main",
            "selected": True,
            "priceChange": None,
            "lineTotal": quantities[sku] * price,
            "current": {"unitPrice": price, "purchasable": True, "availableQuantity": None},
        }
        found += [f"{sku} {key}: {line[key]!r}, not {value!r}" for key, value in wanted.items() if line[key] != value]
        if line["snapshot"]["unitPrice"] != price or not data.is_name(sku, line["snapshot"]["name"]):
            found.append(f"{sku} snapshot: {line['snapshot']!r}")
    if (cart["expiresAt"] is None) != (owner == "user"):
        found.append(f"expiresAt: {cart['expiresAt']!r}")
    return found


def replay_shopper(url, data, customer, invoices, randomness):
    """All invoices of one customer, or one guest's only one. Returns the requests, and the mismatches as texts."""
    client = Client(url, user=customer or None, randomness=randomness)
    mismatches = []
    try:
        for number, lines in invoices:
            version = 0
            if customer:
                # Clearing an empty cart changes nothing: the answer's version is what counts from here.
                version = client.ok("DELETE", "/v1/cart")["version"]
            for chunk in chunks(lines, randomness):
                entries = [{"sku": sku, "quantity": quantity} for sku, quantity in chunk]
                cart = client.ok("POST", LINES, entries[0] if len(chunk) == 1 else {"lines": entries})
                version += 1
                if cart["version"] != version:
                    mismatches.append(f"invoice {number}: version {cart['version']} after an add, not {version}")
                    version = cart["version"]
            cart = client.ok("GET", "/v1/cart")
            owner = "user" if customer else "guest"
            mismatches += [f"invoice {number}: {text}" for text in compare(data, lines, cart, version, owner)]
    except (Unexpected, OSError, KeyError) as error:
        mismatches.append(f"customer {customer or 'none'}: {error!r}")
    finally:
        client.close()
    return client.requests, mismatches


def work(url, data, shoppers, seed, results):
    """One process: its shoppers, one after the other."""
    randomness = random.Random(seed)
    requests, mismatches = 0, []
    for customer, invoices in shoppers:
        sent, found = replay_shopper(url, data, customer, invoices, randomness)
        requests += sent
        mismatches += found
    results.put((requests, mismatches))


def chosen_shoppers(data, count, randomness):
    """At most `count` invoices, the longest among them, as shoppers with their invoices in the data's order."""
    numbers = list(data.invoices)
    if count and count < len(numbers):
        longest = max(numbers, key=lambda key: len(data.invoices[key]))
        kept = set(randomness.sample([key for key in numbers if key != longest], count - 1)) | {longest}
        numbers = [key for key in numbers if key in kept]
    shoppers = {}
    for number, customer in numbers:
        name = customer or f"guest of {number}"
        shoppers.setdefault(name, (customer, []))[1].append((number, data.invoices[(number, customer)]))
    shoppers = list(shoppers.values())
    randomness.shuffle(shoppers)
    return shoppers


def main():
    parser = argparse.ArgumentParser(description="Replays the Online Retail invoices as carts.")
    parser.add_argument("file", help="the CSV, also as .gz")
    parser.add_argument("--url", default=URL, help="default: CART_TEST_URL")
    parser.add_argument("--clients", type=int, default=8, help="shoppers at the same time")
    parser.add_argument("--invoices", type=int, default=0, help="how many, the longest among them; default all")
    parser.add_argument("--state", help="the instance's folder: import the catalogue first")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()

    print(f"seed {options.seed}")
    if options.state:
        started = time.monotonic()
        Instance(options.state).cartctl("catalog", "import", "--format", "online-retail", options.file)
        print(f"imported in {time.monotonic() - started:.1f} s")
    data = Data(options.file)
    shoppers = chosen_shoppers(data, options.invoices, random.Random(options.seed))
    invoices = [lines for _, owned in shoppers for _, lines in owned]

    started = time.monotonic()
    results = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(
            target=work, args=(options.url, data, shoppers[i :: options.clients], options.seed + i, results)
        )
        for i in range(options.clients)
    ]
    for process in processes:
        process.start()
    outcomes = [results.get() for _ in processes]
    for process in processes:
        process.join()
    seconds = time.monotonic() - started

    requests = sum(requests for requests, _ in outcomes)
    mismatches = [text for _, found in outcomes for text in found]
    for text in mismatches[:PRINTED_MISMATCHES]:
        print("mismatch:", text)
    print(
        f"invoices {len(invoices)}, guests {sum(1 for customer, _ in shoppers if not customer)},"
        f" users {sum(1 for customer, _ in shoppers if customer)}, lines {sum(map(len, invoices))}"
        f" (the longest invoice {max(map(len, invoices), default=0)}), clients {options.clients},"
        f" requests {requests}, seconds {seconds:.1f}, requests/s {requests / seconds:.0f},"
        f" mismatches {len(mismatches)}"
    )
    return 1 if mismatches or not invoices else 0


if __name__ == "__main__":
    sys.exit(main())
