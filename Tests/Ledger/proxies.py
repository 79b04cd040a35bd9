"""Proxies between cartd and its stores that know the steps of its protocol, and make things go wrong at one of them.

A connection carries one question at a time: commands, then all their answers. So a step is known by the bytes of the
question: `before` is when they are held here and the store has nothing, `after` is when the first byte of the answer
is here, so that the store has done it, and nobody has been told.
"""

import collections
import contextlib
import multiprocessing
import os
import random
import signal
import socket
import struct
import threading
import time

from steps import PostgresWatcher, RedisWatcher

WATCHERS = {"redis": RedisWatcher, "postgres": PostgresWatcher}


def peer(link):
    """The process at the other end of a unix socket; of a listener's, the one that listens."""
    data = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", data)[0]


def signal_own(pid, number, ancestors):
    """Sends a signal to a process that is one of `ancestors` or descends from one, and to nobody else: a pid may be
    another's by now, and 0 or -1 would be everybody."""
    if not isinstance(pid, int) or pid <= 1:
        return
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if _descends(pid, ancestors):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def _descends(pid, ancestors):
    while pid > 1:
        if pid in ancestors:
            return True
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return False
    return False


class Proxy:
    """One of the two proxies, as its own process runs it: a thread for each direction of each connection."""

    def __init__(self, store, listen, target, seed):
        self.store = store
        self.target = target
        self.random = random.Random(seed)
        self.rules = []
        self.flows = threading.Event()
        self.flows.set()
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.victims = []
        # What is held at a step until it is released: [step, side, pid, event, what becomes of it].
        self.held = []
        self.links = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(listen)
        os.chmod(listen, 0o666)
        self.listener.listen(256)

    def run(self, orders):
        threading.Thread(target=self.accept, daemon=True).start()
        while True:
            try:
                name, *values = orders.recv()
            except (EOFError, OSError):
                os._exit(0)
            if name == "stop":
                os._exit(0)
            orders.send(getattr(self, "do_" + name)(*values))

    # Orders of the other process.

    def do_rule(self, step, side, action, seconds, times):
        with self.lock:
            self.rules.append([step, side, action, seconds, times])

    def do_clear(self):
        with self.lock:
            self.rules.clear()
        for entry in list(self.held):
            entry[3].set()

    def do_held(self):
        """(step, side, pid) of all that is held now."""
        return [tuple(entry[:3]) for entry in self.held]

    def do_release(self, step, side, outcome):
        """Lets go of what is held there: it goes on, or suffers `outcome`. How much that was."""
        entries = [entry for entry in self.held if entry[:2] == [step, side]]
        for entry in entries:
            entry[4] = outcome
            entry[3].set()
        return len(entries)

    def do_hang(self, hangs):
        if hangs:
            self.flows.clear()
        else:
            self.flows.set()

    def do_cut(self):
        for link in list(self.links):
            link.close()

    def do_target(self, path):
        self.target = path
        self.do_cut()

    def do_victims(self, pids):
        self.victims = pids

    def do_counts(self):
        with self.lock:
            return dict(self.counts)

    # Connections.

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        self.flows.wait()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.target)
        except OSError:
            near.close()
            far.close()
            return
        link = Link(self, near, far)
        self.links.add(link)
        threading.Thread(target=link.back, daemon=True).start()
        link.forward()

    def pick(self, steps, side):
        """What is to go wrong at these steps now."""
        with self.lock:
            for step in steps:
                self.counts[step, side, "seen"] += 1
            for rule in self.rules:
                if rule[0] in steps and rule[1] == side:
                    rule[4] -= 1
                    if rule[4] <= 0:
                        self.rules.remove(rule)
                    self.counts[rule[0], side, rule[2]] += 1
                    return rule[0], rule[2], rule[3]
        return None, None, 0


class Link:
    """One connection."""

    def __init__(self, proxy, near, far):
        self.proxy = proxy
        self.near = near
        self.far = far
        self.pid = peer(near)
        self.watcher = WATCHERS[proxy.store]()
        self.steps = set()

    def forward(self):
        try:
            while data := self.near.recv(262144):
                self.proxy.flows.wait()
                steps = self.watcher.sent(data)
                if steps:
                    self.suffer(steps, "before")
                    self.steps |= steps
                self.far.sendall(data)
        except OSError:
            pass
        self.close()

    def back(self):
        try:
            while data := self.far.recv(262144):
                self.proxy.flows.wait()
                if self.steps:
                    steps, self.steps = self.steps, set()
                    self.suffer(steps, "after")
                self.near.sendall(data)
        except OSError:
            pass
        self.close()

    def suffer(self, steps, side):
        step, action, seconds = self.proxy.pick(steps, side)
        if action == "hold":
            entry = [step, side, self.pid, threading.Event(), None]
            self.proxy.held.append(entry)
            entry[3].wait()
            self.proxy.held.remove(entry)
            action = entry[4]
        if action is None:
            return
        if action == "delay":
            time.sleep(seconds)
            return
        if action == "kill":
            signal_own(self.pid, signal.SIGKILL, self.proxy.victims)
        elif action == "kill store":
            number = signal.SIGKILL if self.proxy.store == "redis" else signal.SIGQUIT
            signal_own(peer(self.far), number, self.proxy.victims)
        raise ConnectionAbortedError(action)

    def close(self):
        for end in (self.near, self.far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if self in self.proxy.links:
            self.proxy.links.discard(self)
            # The threads of both directions may still be in a call on them; the last reference closes them.


class Cable:
    """What a replica reaches its primary through: cut, it carries nothing any more, and nobody is told."""

    def __init__(self, port):
        self.target = port
        self.is_cut = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.links = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.links += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.is_cut.is_set():
                    # Both ends still hold their connection.
                    continue
                sink.sendall(data)

    def cut(self):
        self.is_cut.set()

    def close(self):
        for link in [self.listener, *self.links]:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()


def _main(store, listen, target, seed, orders):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Proxy(store, listen, target, seed).run(orders)


class ProxyProcess:
    """A proxy in a process of its own, as the nemesis orders it about."""

    def __init__(self, store, listen, target, seed):
        self.store = store
        context = multiprocessing.get_context("fork")
        self.orders, theirs = context.Pipe()
        self.lock = threading.Lock()
        self.process = context.Process(target=_main, args=(store, listen, target, seed, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def order(self, name, *values):
        with self.lock:
            self.orders.send((name, *values))
            return self.orders.recv()

    def stop(self):
        with self.lock:
            try:
                self.orders.send(("stop",))
            except OSError:
                pass
        self.process.join(5)
