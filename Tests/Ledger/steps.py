"""Which steps of cartd's protocol the bytes are that it sends to its stores."""

import hashlib
import os
import struct

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sources/CartStores/Redis/Scripts")
SHARED_PARTS = {"line", "open", "close", "rules", "filter"}

# What may go wrong where: before the store has it, or after it has done it.
REDIS_STEPS = (
    "restore.token", "restore.install", "sync.take", "sync.snapshot", "sync.mark", "sync.acknowledge", "sync.raise",
    "sync.invalidate", "sync.history", "change.add", "change.edit", "change.remove",
)  # fmt: skip
POSTGRES_STEPS = (
    "restore.lock", "restore.raise", "restore.commit", "sync.advance", "sync.record", "sync.persist", "sync.commit",
    "history.register",
)  # fmt: skip
# Of orders and merges, in the order in which one does them; each at the store that it is named for. `order.inputs` is
# the statement that takes hold of the key, persists the cart and reads what is sold; `order.insert` the one that writes
# the order, commands the cart and moves the stock. With `order.apply` the stock is made known.
ORDER_STEPS = (
    ("postgres", "order.inputs"), ("postgres", "order.insert"), ("postgres", "order.commit"), ("redis", "order.apply"),
)  # fmt: skip
CANCEL_STEPS = (("postgres", "cancel.lock"), ("postgres", "cancel.stock"), ("postgres", "cancel.commit"))
MERGE_STEPS = (
    ("postgres", "merge.find"), ("redis", "merge.freeze"), ("postgres", "inbox.read"), ("postgres", "merge.record"),
    ("postgres", "merge.commit"), ("redis", "merge.apply"), ("redis", "merge.tombstone"),
)  # fmt: skip

SCRIPT_STEPS = {
    "lease_restore": "restore.token",
    "install": "restore.install",
    "persisted": "sync.mark",
    "raise": "sync.raise",
    "invalidate": "sync.invalidate",
    "register_history": "sync.history",
    "add": "change.add",
    "edit": "change.edit",
    "remove": "change.remove",
    # Told apart by the action, its eleventh argument: an order's or a merge's.
    "apply": "apply",
    "evict": "sync.evict",
    "freeze": "merge.freeze",
    "leave_tombstone": "merge.tombstone",
}
STATEMENT_STEPS = {
    "cart_lock": "restore.lock",
    "cart_raise": "restore.raise",
    "lineage_advance": "sync.advance",
    "changes_record": "sync.record",
    "cart_persist": "sync.persist",
    # It is a transaction by itself.
    "cart_persist_unlocked": "sync.commit",
    "lineage_register": "history.register",
    "cart_commands": "inbox.read",
    "order_claim": "order.claim",
    "order_inputs": "order.inputs",
    "order_place": "order.insert",
    "order_note_version": "order.note",
    "order_lock": "cancel.lock",
    "order_cancel": "cancel.stock",
    "merge_find": "merge.find",
    "merge_record": "merge.record",
}
# The statement by which a transaction is known → what its commit is; the first that fits.
COMMITS = {
    "order.insert": "order.commit",
    "order.inputs": "order.refuse",
    "order.claim": "order.refuse",
    "cancel.lock": "cancel.commit",
    "merge.record": "merge.commit",
}


def names_of_scripts():
    return {name for name, extension in map(os.path.splitext, os.listdir(SCRIPTS)) if extension == ".lua"}


def _script_texts():
    texts = {}
    for name in names_of_scripts() - SHARED_PARTS:
        with open(os.path.join(SCRIPTS, name + ".lua"), "rb") as source:
            texts[name] = source.read().strip()
    return texts


class RedisWatcher:
    """Follows the commands of one connection."""

    texts = _script_texts()
    # Digest → step, of all connections of this process.
    digests = {}

    def __init__(self):
        self.buffer = b""

    def sent(self, data):
        """The steps whose commands end in `data`."""
        self.buffer += data
        commands = []
        while command := self._command():
            commands.append(command)
        steps = {self._step(command) for command in commands}
        if any(command[0] == b"HGETALL" for command in commands) and "restore.token" not in steps:
            if any(command[0] == b"ZSCORE" for command in commands):
                steps.add("sync.snapshot")
        steps.discard(None)
        return steps

    def _command(self):
        buffer = self.buffer
        if not buffer.startswith(b"*"):
            return None
        end = buffer.find(b"\r\n")
        if end < 0:
            return None
        count, at, words = int(buffer[1:end]), end + 2, []
        for _ in range(count):
            end = buffer.find(b"\r\n", at)
            if end < 0:
                return None
            size = int(buffer[at + 1 : end])
            at = end + 2 + size + 2
            if at > len(buffer):
                return None
            words.append(buffer[end + 2 : at - 2])
        self.buffer = buffer[at:]
        return words

    def _step(self, words):
        name = words[0]
        if name in (b"EVALSHA", b"EVAL"):
            step = self.digests.get(words[1]) if name == b"EVALSHA" else self._learn(words[1])
            keys = int(words[2])
            if step == "apply":
                step = words[keys + 13].decode() + ".apply"
            return step
        if name == b"SCRIPT" and len(words) > 2:
            self._learn(words[2])
        elif name == b"XDEL" and words[1].endswith(b"cart:stream"):
            return "sync.acknowledge"
        elif name == b"XREAD":
            return "sync.take"
        return None

    def _learn(self, source):
        for name, text in self.texts.items():
            if text in source and name in SCRIPT_STEPS:
                self.digests[hashlib.sha1(source).hexdigest().encode()] = SCRIPT_STEPS[name]
                return SCRIPT_STEPS[name]
        return None


class PostgresWatcher:
    """Follows the messages of one frontend. The first one has no kind."""

    def __init__(self):
        self.buffer = b""
        self.has_started = False
        self.transaction = set()

    def sent(self, data):
        self.buffer += data
        steps = set()
        while True:
            start = 1 if self.has_started else 0
            if len(self.buffer) < start + 4:
                break
            size = struct.unpack(">I", self.buffer[start : start + 4])[0]
            if len(self.buffer) < start + size:
                break
            kind, content = self.buffer[:start], self.buffer[start + 4 : start + size]
            self.buffer = self.buffer[start + size :]
            if self.has_started:
                steps |= self._message(kind, content)
            elif struct.unpack(">I", content[:4])[0] >> 16 == 3:
                # No request for encryption, of which there may be two before it.
                self.has_started = True
        return steps

    def _message(self, kind, content):
        if kind == b"B":
            _, statement, _ = content.split(b"\0", 2)
            step = STATEMENT_STEPS.get(statement.decode("latin-1"))
            if step is None:
                return set()
            self.transaction.add(step)
            return {step}
        if kind == b"Q":
            text = content.rstrip(b"\0").strip().upper()
            if text.startswith(b"BEGIN"):
                self.transaction = set()
            elif text == b"COMMIT":
                return {next((step for first, step in COMMITS.items() if first in self.transaction), "restore.commit")}
        return set()
