"""What is found at rest: the books against Redis, Redis against PostgreSQL, and the record of changes."""

import collections

import audit_orders
from harness import wire

LINE = ("quantity", "selected", "born", "version", "merchant", "price", "revision")
STATES = {None: 0, "1": 1, "2": 2}


# What was lost by one of these alone is counted by itself.
LOST_BY = {"kill": "lost when Redis was killed", "partition": "lost with a primary that was cut off"}


class Finding:
    """What the audit has found: counts for the table, and faults as texts."""

    KINDS = (
        "doubled", "lost beyond the window", "refused and there", "other than left", "version went back",
        "line not seen", "Redis and PostgreSQL differ", "record of changes", "orders", "stock", "not at rest",
    )  # fmt: skip

    def __init__(self):
        self.faults = {kind: [] for kind in self.KINDS}
        self.counts = collections.Counter()

    def fault(self, kind, text):
        self.faults[kind].append(text)

    @property
    def is_clean(self):
        return not any(self.faults.values())


def percent_decoded(text):
    parts = text.split("%")
    data = parts[0].encode("latin-1")
    for part in parts[1:]:
        data += bytes([int(part[:2], 16)]) + part[2:].encode("latin-1")
    return data.decode()


def number(fields, name):
    return int(fields.get(name, 0))


def redis_cart(fields):
    """A cart's hash in the shape of PostgreSQL's row."""
    lines = []
    for name, value in fields.items():
        if name[0] != "=":
            continue
        line = dict(zip(LINE, value.split("|")))
        for key in ("quantity", "born", "version", "price"):
            line[key] = int(line[key])
        line |= {"sku": name[1:], "selected": line["selected"] == "1", "merchant": percent_decoded(line["merchant"])}
        if "+" + name[1:] in fields:
            line["data"] = fields["+" + name[1:]]
        lines.append(line)
    lines.sort(key=lambda line: (line["born"], line["sku"]))
    ring = "".join(fields.get(f"#r{part}", "") for part in range(4)).encode("latin-1").hex()
    return {
        "epoch": number(fields, "#e"), "data_epoch": number(fields, "#e"), "version": number(fields, "#v"),
        "currency": fields.get("#c"), "clock": number(fields, "#u"), "lines": lines, "ring": ring,
        "inbox_applied": number(fields, "#i"), "state": STATES[fields.get("#s")], "merged_into": fields.get("#o"),
        "expires": number(fields, "#x"), "renewed": number(fields, "#k"), "is_released": False,
    }  # fmt: skip


POSTGRES_CARTS = """
SELECT owner_kind, owner_id, epoch, data_epoch, version, currency, clock, lines, encode(retry_ring, 'hex') AS ring,
  inbox_applied, state, merged_into, coalesce(extract(epoch FROM expires_at)::bigint, 0) AS expires,
  coalesce(extract(epoch FROM cookie_renewed_at)::bigint, 0) AS renewed, is_released FROM carts"""


def read_stores(system):
    """Owner → cart of both stores, and owner → meta fields of Redis that PostgreSQL does not have. Without those that
    were made unreadable."""
    carts, metas = {}, {}
    with wire.Redis(system.redis.socket) as redis:
        for kind in ("user", "guest"):
            for key in redis("KEYS", f"cart:{kind}:*"):
                values = redis("HGETALL", key)
                fields = dict(zip(values[::2], values[1::2]))
                owner = kind, percent_decoded(key.split(":", 2)[2])
                if owner in system.unreadable:
                    continue
                # Placeholders say that there is no cart.
                if "#v" in fields:
                    carts[owner] = redis_cart(fields)
                    metas[owner] = fields
    lineage = system.postgres.psql("SELECT max(number) FROM cart.redis_lineages").strip()
    tag = system.postgres.psql("SELECT tag FROM cart.database_lineage").strip()
    rows = {}
    for row in system.postgres.rows(POSTGRES_CARTS):
        owner = row.pop("owner_kind"), row.pop("owner_id")
        if owner not in system.unreadable:
            rows[owner] = row
    return carts, metas, rows, lineage, tag


def compare_stores(system, finding):
    """Redis equals PostgreSQL, field by field."""
    carts, metas, rows, lineage, tag = read_stores(system)
    finding.counts["carts compared"] = len(carts)
    kind = "Redis and PostgreSQL differ"
    for owner, cart in carts.items():
        row = rows.get(owner)
        if row is None:
            finding.fault(kind, f"{owner}: not in PostgreSQL")
            continue
        if cart["state"] == 2:
            # What is left of a merged guest's cart says only that.
            finding.counts["guests merged"] += 1
            if row["state"] != 2 or cart["lines"] or row["lines"]:
                finding.fault(kind, f"{owner}: merged in Redis, {row['state']} in PostgreSQL; {cart['lines']} {row['lines']}")
            continue
        for name, value in cart.items():
            if row[name] != value:
                finding.fault(kind, f"{owner} {name}: Redis {value!r}, PostgreSQL {row[name]!r}"[:400])
        meta = metas[owner]
        wanted = {"#l": lineage, "#d": tag, "#p": meta["#v"]}
        for name, value in wanted.items():
            if meta.get(name) != value:
                finding.fault(kind, f"{owner} {name}: {meta.get(name)!r}, not {value!r}")
    for owner, row in rows.items():
        if owner not in carts and row["version"] > 0 and row["state"] != 2:
            finding.counts["carts in PostgreSQL alone"] += 1
    return carts, rows


def audit_books(books, carts, rows, ordered, finding):
    """Each acknowledged SKU exactly once in carts and orders together, each refused one nowhere. SKU → what is found.

    `ordered` is what is in orders; a line that is there has left its cart.
    """
    known = books.known_owners()
    found, orphans = collections.Counter(ordered), collections.Counter()
    for owner in carts.keys() | rows.keys():
        # A cart that nobody has used since Redis lost it.
        cart = carts.get(owner) or rows[owner]
        for line in cart["lines"]:
            (found if owner in known else orphans)[line["sku"]] += line["quantity"]
    finding.counts["in carts of guests who were never told"] = sum(orphans.values())
    for sku, entry in books.entries.items():
        quantity = found[sku]
        if entry.was_refused:
            finding.counts["refused"] += 1
            if quantity or orphans[sku]:
                finding.fault("refused and there", f"{sku}: {quantity} in {entry.cart.kind} {entry.cart.name}")
            continue
        if not entry.deeds:
            continue
        plain, lossy = entry.possible(books.losses)
        finding.counts["acknowledged" if entry.deeds[0][2] else "unknown"] += 1
        if len(entry.deeds) > 1:
            finding.counts["altered"] += len(entry.deeds) - 1
        if quantity in plain:
            continue
        if quantity in lossy:
            what = "lost inside the window" if quantity == 0 else "altered, and lost inside the window"
            if len(faults := lost_by(entry, books)) == 1:
                what = LOST_BY.get(*faults, what)
            finding.counts[what] += 1
            continue
        if quantity == 0 and audit_orders.may_be_gone(sku, books):
            finding.counts["lost with orders that PostgreSQL has forgotten"] += 1
            continue
        possible = plain | lossy
        text = f"{sku} in {entry.cart.kind} {entry.cart.name}: {quantity}, not {sorted(possible)}; {entry.deeds}"
        if quantity > max(possible | {1}):
            finding.fault("doubled", text)
        elif quantity == 0:
            finding.fault("lost beyond the window", text)
        else:
            finding.fault("other than left", text)
    return found + orphans


def lost_by(entry, books):
    """The kinds of faults that may have undone something of it."""
    return {
        loss.fault for loss in books.losses for deed in entry.deeds if deed.answered and loss.covers(entry.sku, *deed)
    }


def audit_sightings(books, finding):
    """Versions never go back, and a shopper sees what he has done."""
    for owner, before, after in books.fallen:
        losses = [loss for loss in books.losses if loss.began <= after.answered]
        if any(owner not in loss.owners for loss in losses):
            finding.counts["versions begun anew after a loss"] += 1
        else:
            text = f"{before.version} at {before.answered:.3f} s, {after.version} at {after.answered:.3f} s"
            finding.fault("version went back", f"{owner}: {text}")
    for entry, count, quantity, seen in books.unseen:
        losses = [loss for loss in books.losses if loss.began <= seen]
        if not any(quantity in possible for possible in entry.possible(losses, count)):
            text = f"{entry.sku} in {entry.cart.name}: {quantity} at {seen:.3f} s; {entry.deeds[:count]}"
            finding.fault("line not seen", text)


def audit_record(system, books, finding):
    """One row for each line and version; each acknowledged add that stands was recorded once, with its request."""
    kind = "record of changes"
    rows = system.postgres.rows(
        "SELECT sku, owner_kind, owner_id, epoch, version, action, request_id FROM cart_changes"
    )
    finding.counts["changes recorded"] = len(rows)
    seen = collections.Counter()
    adds = collections.defaultdict(list)
    known = books.known_owners()
    for row in rows:
        seen[row["owner_kind"], row["owner_id"], row["epoch"], row["version"], row["sku"]] += 1
        if row["action"] == "add" and (row["owner_kind"], row["owner_id"]) in known:
            adds[row["sku"]].append(row)
    for key, count in seen.items():
        if count > 1:
            finding.fault(kind, f"{key}: {count} rows")
    for sku, entry in books.entries.items():
        added = adds[sku]
        if entry.was_refused and added:
            finding.fault(kind, f"{sku} was refused, and is recorded: {added}")
        if entry.was_refused or not entry.deeds or entry.deeds[0][2] is None:
            continue
        if any(row["request_id"].rpartition(".")[0] != sku for row in added):
            finding.fault(kind, f"{sku}: recorded for another request: {added}")
        _, sent, answered = entry.deeds[0]
        # What was recorded may be gone with a state of PostgreSQL, and what was not yet recorded with one of Redis.
        is_excused = any(loss.unrecorded <= answered and sent <= loss.at for loss in books.losses)
        is_excused = is_excused or any(answered < setback.at for setback in books.set_back)
        if not added and is_excused:
            finding.counts["adds not recorded, inside a window"] += 1
        elif len(added) != 1 and not (is_excused and len(added) == 2):
            finding.fault(kind, f"{sku}: {len(added)} rows of its add, not 1; {entry.deeds} {added}")
