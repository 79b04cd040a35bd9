"""What is found of orders at rest: one for each key, its lines in no cart any more, the stock down by what stands."""

import collections

from harness import wire

ORDERS = """
SELECT k.key, k.owner_id AS key_owner, o.order_id, o.owner_kind, o.owner_id, o.status, o.total,
  (SELECT json_agg(json_build_object('sku', l.sku, 'quantity', l.quantity, 'unitPrice', l.unit_price,
    'lineTotal', l.quantity * l.unit_price)) FROM order_lines l WHERE l.order_id = o.order_id) AS lines
FROM orders o LEFT JOIN order_keys k USING (order_id)"""


def read_orders(system):
    return system.postgres.rows(ORDERS)


def ordered(rows):
    """SKU → quantity in all orders, cancelled ones too: what was acknowledged is in a cart or in an order."""
    found = collections.Counter()
    for row in rows:
        for line in row["lines"]:
            found[line["sku"]] += line["quantity"]
    return found


def audit_orders(books, rows, finding):
    """One order for each key, as it was answered."""
    by_key = collections.defaultdict(list)
    for row in rows:
        by_key[row["key"]].append(row)
        if row["total"] != sum(line["lineTotal"] for line in row["lines"]):
            finding.fault("orders", f"{row['key']}: the total is not that of the lines: {row}")
    finding.counts["orders"] = len(rows)
    wishes = {wish.key: wish for wish in books.wishes}
    for key in by_key.keys() - wishes.keys():
        finding.fault("orders", f"{key}: nobody has asked for it: {by_key[key]}")
    for key, wish in wishes.items():
        _audit_wish(wish, by_key[key], books, finding)
    finding.counts["orders asked for"] = len(wishes)


def _audit_wish(wish, rows, books, finding):
    def fault(text):
        finding.fault("orders", f"{wish.key}: {text}")

    if len(rows) > 1:
        fault(f"{len(rows)} orders for one key: {rows}")
    may_be_lost = wish.may_be_lost(books.set_back)
    ids = {order["id"] for order, _, _ in wish.answers}
    if len(ids) > 1 and not may_be_lost:
        fault(f"answered with {len(ids)} orders: {ids}")
    _audit_answers(wish, fault, may_be_lost)
    if not rows:
        if ids and may_be_lost:
            finding.counts["orders lost with a PostgreSQL that was put back"] += 1
        elif ids:
            fault(f"acknowledged, and not there: {wish.answers}")
        elif wish.is_unknown:
            finding.counts["orders unknown, and not there"] += 1
        else:
            finding.counts["orders refused"] += 1
        return
    row = rows[0]
    if not ids and not wish.is_unknown:
        fault(f"refused, and there: {wish.refusals}")
    if not ids:
        finding.counts["orders unknown, and there"] += 1
    elif row["order_id"] not in ids:
        if may_be_lost:
            finding.counts["orders placed anew in a PostgreSQL that was put back"] += 1
        else:
            fault(f"answered as {ids}, and there as {row['order_id']}")
    elif line_facts(row["lines"]) != line_facts(wish.order["lines"]):
        fault(f"other lines than answered: {row['lines']} {wish.order['lines']}")
    cancelled = [answer for _, _, answer in wish.cancellations if answer is not None and answer.status == 200]
    if row["status"] == "cancelled":
        finding.counts["orders cancelled"] += 1
        if not wish.is_to_be_cancelled:
            fault("cancelled, and nobody has asked for that")
    elif cancelled and not may_be_lost:
        fault("not cancelled, although that was acknowledged")
    for sent, _, answer in wish.cancellations:
        if answer is not None and answer.status != 200 and not may_be_lost:
            fault(f"not cancelled at {sent:.3f} s: {answer.status} {answer.json}")


def line_facts(lines):
    return sorted((line["sku"], line["quantity"], line["unitPrice"], line["lineTotal"]) for line in lines)


def _audit_answers(wish, fault, may_be_lost):
    """The same answer every time, once placed and never refused after that."""
    if may_be_lost or not wish.answers:
        return
    if sum(order["is_new"] for order, _, _ in wish.answers) > 1:
        fault(f"placed more than once: {wish.answers}")
    first = wish.answers[0][0]
    for order, _, _ in wish.answers[1:]:
        # The status may change; the version of the cart is looked at below.
        changing = {"is_new", "status", "cartVersion"}
        if {name: value for name, value in order.items() if name not in changing} != {
            name: value for name, value in first.items() if name not in changing
        }:  # fmt: skip
            fault(f"two answers: {first} {order}")
    # Who asks again before the first answer has come may hear the version that was expected.
    told = [(order["cartVersion"], answered) for order, _, answered in wish.answers if order["is_new"]]
    later = {order["cartVersion"] for order, sent, _ in wish.answers if told and sent > told[0][1]}
    if later - {told[0][0] if told else None}:
        fault(f"several versions of the cart: {told[0]}, then {later}")
    acknowledged = min(answered for _, _, answered in wish.answers)
    for code, sent, _ in wish.refusals:
        # Who sends it as a guest, when the guest has just become a user, opens no orders any more.
        if sent > max(acknowledged, wish.cart.logged_in_at):
            fault(f"placed by {acknowledged:.3f} s, and refused at {sent:.3f} s: {code}")


def may_be_gone(sku, books):
    """Whether an order of the SKU may be lost with PostgreSQL, when its line had left the cart."""
    return any(wish.may_be_lost(books.set_back) for wish in books.wished.get(sku, ()))


def audit_stock(system, products, rows, finding):
    """Stock and what stands make what there was in the beginning; and everybody is shown the stock as it is."""
    standing = collections.Counter()
    for row in rows:
        if row["status"] != "cancelled":
            for line in row["lines"]:
                standing[line["sku"]] += line["quantity"]
    stocks = {row["sku"]: row["stock"] for row in system.postgres.rows("SELECT sku, stock FROM skus")}
    for sku, initial in products.stocks.items():
        if stocks[sku] < 0 or stocks[sku] + standing[sku] != initial:
            finding.fault("stock", f"{sku}: {stocks[sku]} left, {standing[sku]} ordered, {initial} in the beginning")
    for sku in products.scarce:
        finding.counts["scarce products sold out"] += stocks[sku] == 0
        finding.counts["scarce products ordered"] += standing[sku]


def shown_stock(system, skus):
    """SKUs that Redis shows with another stock than PostgreSQL has."""
    rows = {row["sku"]: row["stock"] for row in system.postgres.rows("SELECT sku, stock FROM skus")}
    with wire.Redis(system.redis.socket) as redis:
        entries = redis("HMGET", "cart:catalog", *skus)
    wrong = []
    for sku, entry in zip(skus, entries):
        if entry is not None and entry.split("|")[1] != str(rows[sku]):
            wrong.append(f"{sku}: {entry.split('|')[1]} is shown, {rows[sku]} is there")
    return wrong


def audit_scarce(books, found, products, finding):
    """Of a product that many add, no more than was added is in carts and orders."""
    for sku in products.scarce:
        if found[sku] > books.scarce.get(sku, 0):
            finding.fault("doubled", f"{sku}: {found[sku]} in carts and orders, {books.scarce.get(sku, 0)} were added")
