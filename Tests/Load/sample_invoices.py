#!/usr/bin/env python3
"""Writes a made-up file in the shape of the "Online Retail" CSV, for where the real one is not at hand.

It has what makes the real one hard: one invoice of over 500 lines, SKUs twice on an invoice, prices that change and end
at 0, cancellations, rows without a customer, empty descriptions, SKUs with spaces and in two cases.
"""

import csv
import datetime
import random
import sys

INVOICES = 300
LONG_INVOICE_LINES = 520


def main():
    randomness = random.Random(1)
    skus = [f"{20_000 + number}{suffix}" for number in range(400) for suffix in ("", "A")]
    skus += ["POST", "BANK CHARGES", "gift_0001_20", "M", "m", "85123a"]
    prices = {sku: randomness.randint(1, 3_000) for sku in skus}
    customers = [f"{12_000 + number}.0" for number in range(60)]
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country".split(","))
    moment = datetime.datetime(2010, 12, 1, 8, 0)
    for number in range(INVOICES):
        moment += datetime.timedelta(minutes=randomness.randint(0, 90))
        is_long = number == INVOICES // 2
        customer = "" if is_long or randomness.random() < 0.25 else randomness.choice(customers)
        is_cancelled = not is_long and randomness.random() < 0.05
        for _ in range(LONG_INVOICE_LINES if is_long else randomness.randint(1, 40)):
            sku = randomness.choice(skus)
            if randomness.random() < 0.1:
                prices[sku] = randomness.randint(1, 3_000)
            price = 0 if randomness.random() < 0.02 else prices[sku]
            quantity = randomness.choice([1, 2, 6, 12, 24, 74_215 if is_long else 48])
            rows.writerow(
                [
                    f"{'C' if is_cancelled else ''}{536_365 + number}",
                    sku,
                    "" if randomness.random() < 0.05 else f'PRODUCT {sku}, "£ {price}"',
                    -quantity if is_cancelled or randomness.random() < 0.01 else quantity,
                    moment.strftime("%Y-%m-%d %H:%M:%S"),
                    # Half a penny, too: the importer rounds it up.
                    f"{price // 100}.{price % 100:02}" + ("" if price == 0 or randomness.random() < 0.9 else "5"),
                    customer,
                    "United Kingdom",
                ]
            )


if __name__ == "__main__":
    main()
