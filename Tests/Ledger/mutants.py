#!/usr/bin/env python3
"""Shows that the schedules can fail: takes out one rule of the protocol after the other, in a copy of the sources with a
build of its own, and demands that the schedule which watches the rule finds fault with it. Exits 1 where one does not.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

import schedules

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STORES = "Sources/CartStores/"
SCRIPTS = STORES + "Redis/Scripts/"
CARTS = STORES + "Postgres/Carts/PostgresCarts+"
ORDERS = STORES + "Postgres/Orders/PostgresOrders+"

# Rule → the schedule that watches it, and what is replaced to take it out: (file, text that stands there once, other).
MUTANTS = {
    "lineage: a cart of another history is compared first": (
        "lineage",
        [
            (STORES + "Redis/Carts/RedisCartStore.swift", "(hash, hash?.history == history.number)", "(hash, hash != nil)"),
            (SCRIPTS + "open.lua", "elseif (get('#l') or '0') ~= history then", "elseif false then"),
        ],
    ),
    "skip: no version twice after a loss": (
        "versions",
        [(CARTS + "Claim.swift", "WHEN is_stray AND n.version > 0", "WHEN false AND n.version > 0")],
    ),
    "fence: no copy of an epoch below the one handed out": (
        "fence",
        [(CARTS + "Persist.swift", "AND present.epoch <= excluded.epoch", "")],
    ),
    "version guard: no older copy over a newer one": (
        "version-guard",
        [
            (CARTS + "Persist.swift", "AND (present.data_epoch, present.version, present.inbox_applied)", ""),
            (CARTS + "Persist.swift", "<= (excluded.data_epoch, excluded.version, excluded.inbox_applied)", ""),
        ],
    ),
    "inbox: commands are followed before a checkout": (
        "inbox-delivery",
        [(STORES + "Orders/Checkout.swift", "guard ground.lastCommand <= hash.inboxNumber else", "guard true else")],
    ),
    "inbox: the number of the last command is kept with the cart": (
        "inbox-number",
        [(CARTS + "Persist.swift", "inbox_applied = excluded.inbox_applied, state", "inbox_applied = present.inbox_applied, state")],
    ),
    "merge key: one merge for each guest": (
        "merge-key",
        [
            (
                CARTS + "Merges.swift",
                "ON CONFLICT DO NOTHING\n      RETURNING inbox_number",
                "ON CONFLICT (guest_id) DO UPDATE SET inbox_number = excluded.inbox_number\n"
                "      RETURNING inbox_number",
            ),
            # Who comes late is stopped by these as well.
            (CARTS + "Merges.swift", "if row.hash.state == .merged {", "if false {"),
            (CARTS + "Merges.swift", "if row.maximumEpoch > hash.epoch {", "if false {"),
        ],
    ),
    "merge target: a frozen cart merges as it was begun": (
        "merge-rival",
        [
            (STORES + "Merge/CartMerger.swift", "try end(hash, begun, retryKey", "try end(hash, target, retryKey"),
            (
                CARTS + "Merges.swift",
                "ON CONFLICT DO NOTHING\n      RETURNING inbox_number",
                "ON CONFLICT (guest_id) DO UPDATE SET inbox_number = excluded.inbox_number\n"
                "      RETURNING inbox_number",
            ),
            (CARTS + "Merges.swift", "if row.hash.state == .merged {", "if false {"),
            (CARTS + "Merges.swift", "if row.maximumEpoch > hash.epoch {", "if false {"),
        ],
    ),
    "tombstone: Redis knows of a merge that PostgreSQL has forgotten": (
        "merge-setback",
        [
            (
                SCRIPTS + "leave_tombstone.lua",
                "redis.call('HSET', cart, '#l', has[1], '#s', '2', '#e', has[3] or '0', '#v', has[4] or '0')",
                "",
            )
        ],
    ),
    "birth stamp: an order takes the line that it was made of": (
        "birth",
        [("Sources/CartDomain/CartCommand.swift", ", line.born == taken.born else", " else")],
    ),
    "retry ring: a retry is known before anything else is checked": (
        "retry-first",
        [
            (
                SCRIPTS + "open.lua",
                "if sub(ring, i, i + 7) == sub(retry_key, 1, 8) then",
                "if condition == '' and sub(ring, i, i + 7) == sub(retry_key, 1, 8) then",
            )
        ],
    ),
    "retry ring: it is kept with the cart": (
        "retry-ordered",
        [(CARTS + "Persist.swift", "retry_ring = excluded.retry_ring", "retry_ring = present.retry_ring")],
    ),
    "order key: one order for each": (
        "order-key",
        [
            (ORDERS + "Keys.swift", "return .used(id)", "return id.text.isEmpty ? .used(id) : .free"),
            (ORDERS + "Inputs.swift", "is_held AND order_id IS NULL FROM", "is_held FROM"),
            (
                ORDERS + "Writing.swift",
                "VALUES ($12, $2, $3, $13::bytea, $1)\n      ON CONFLICT DO NOTHING",
                "VALUES ($12, $2, $3, $13::bytea, $1)\n"
                "      ON CONFLICT (key, owner_kind, owner_id) DO UPDATE SET order_id = excluded.order_id",
            ),
        ],
    ),
    "order: it keeps the cart that it is made of": (
        "order-persists",
        [
            (
                ORDERS + "Inputs.swift",
                "written AS (\\(PostgresCarts.writeCopies) RETURNING inbox_number),",
                "written AS (SELECT inbox_number FROM carts WHERE owner_kind = $15 AND owner_id = $16),",
            )
        ],
    ),
    "hold: it does not outlive a clock that steps back": (
        "clock-back",
        [(SCRIPTS + "lease_restore.lua", "and left <= tonumber(given) then", "then")],
    ),
    "memory: the syncer goes on without": (
        "memory",
        [
            (STORES + "Redis/Connection/RedisScript.swift", "Row(Lua.allow_oom_lua)", "Row(Lua.allow_oom_lua, needsMemory: true)"),
        ],
    ),
    "eviction: only of what this database has": (
        "eviction",
        [
            (SCRIPTS + "evict.lua", " or has[4] ~= tag", ""),
            # A database that went back makes every cart dirty, which keeps it as well.
            (SCRIPTS + "evict.lua", "if redis.call('ZSCORE', dirty, cart) then return 0 end", ""),
        ],
    ),
}  # fmt: skip


def patched(patches):
    """File → its text after the patches. Each text stands there exactly once, or the patch is out of date."""
    texts = {}
    for file, text, other in patches:
        if file not in texts:
            with open(os.path.join(ROOT, file), encoding="utf-8") as source:
                texts[file] = source.read()
        if texts[file].count(text) != 1:
            raise ValueError(f"{file}: {text!r} stands there {texts[file].count(text)} times")
        texts[file] = texts[file].replace(text, other)
    return texts


class Tree:
    """A copy of the sources."""

    def __init__(self, binaries):
        self.folder = tempfile.mkdtemp(prefix="cart-mutants-", dir="/tmp")
        os.chmod(self.folder, 0o711)
        self.original = binaries
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "Package.*", "Sources", "Tests"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.split("\n")  # fmt: skip
        for name in names:
            source, target = os.path.join(ROOT, name), os.path.join(self.folder, name)
            if name and os.path.isfile(source):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy2(source, target)

    def write(self, texts):
        for file, text in texts.items():
            with open(os.path.join(self.folder, file), "w", encoding="utf-8") as target:
                target.write(text)

    def restore(self, texts):
        for file in texts:
            shutil.copyfile(os.path.join(ROOT, file), os.path.join(self.folder, file))

    def build(self):
        """The folder with the patched cartd, and the unpatched cartctl beside it."""
        build = ["swift", "build", "--package-path", self.folder, "-c", "release", "--static-swift-stdlib"]
        done = subprocess.run([*build, "--product", "cartd"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"does not build: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        done = subprocess.run([*build, "--show-bin-path"], capture_output=True, text=True, check=True)
        folder = done.stdout.strip()
        cartctl = os.path.join(folder, "cartctl")
        if not os.path.exists(cartctl):
            os.symlink(os.path.join(os.path.abspath(self.original), "cartctl"), cartctl)
        return folder

    def run(self, folder, schedule):
        """What the schedule says of the build; run from the copy, so that the scripts are known by their texts."""
        program = os.path.join(self.folder, "Tests/Ledger/schedules.py")
        command = [sys.executable, "-B", program, "--binaries", folder, schedule]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def run(binaries, wanted=(), log=print):
    """Whether every mutant was found; of all, or of those with one of the texts in their names."""
    tree = Tree(binaries)
    survivors = []
    try:
        mutants = {rule: mutant for rule, mutant in MUTANTS.items()
                   if not wanted or any(text in rule for text in wanted)}  # fmt: skip
        # None may be out of date, which is soon seen.
        patches = {rule: patched(patches) for rule, (_, patches) in mutants.items()}
        for rule, (schedule, _) in mutants.items():
            assert schedule in schedules.SCHEDULES
            began = time.monotonic()
            tree.write(patches[rule])
            done = tree.run(tree.build(), schedule)
            tree.restore(patches[rule])
            faults = [line.partition("FAULT: ")[2] for line in done.stdout.splitlines() if "FAULT: " in line]
            # A schedule that can't run at all has found nothing.
            is_found = done.returncode == 1 and faults and not faults[0].startswith("Traceback")
            if not is_found:
                survivors.append(rule)
            verdict = faults[0] if is_found else f"SURVIVES: {done.stdout}{done.stderr}"
            log(f"  {rule}\n    {schedule}: {verdict} ({time.monotonic() - began:.0f} s)")
    finally:
        shutil.rmtree(tree.folder, ignore_errors=True)
    return not survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, help="folder of the unpatched cartd and cartctl")
    parser.add_argument("wanted", nargs="*", help="only rules with one of these texts in their names")
    options = parser.parse_args()
    return 0 if run(options.binaries, options.wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
