"""Keep-alive clients that send one request after the other, over one epoll: some thousands a second."""

import json
import select
import socket
import time

from harness.processes import PATIENCE

PRINTED_FAULTS = 10


class Adder:
    """A user who adds one piece with each request; the versions of the answers are 1, 2, 3…"""

    def __init__(self, name, sku, has_versions=True):
        self.name = name
        self.has_versions = has_versions
        self.acknowledged = 0
        body = b'{"sku":"%s","quantity":1}' % sku.encode()
        self.bytes = request(b"POST", b"/v1/cart/lines?view=summary", name, body)

    def next(self):
        return self.bytes

    def take(self, status, body):
        """What is wrong with an answer, if anything."""
        if status != 200:
            return f"{self.name}: status {status} after {self.acknowledged} adds: {body[:200]!r}"
        self.acknowledged += 1
        if self.has_versions and b'"version":%d,' % self.acknowledged not in body:
            return f"{self.name}: not version {self.acknowledged}: {body[:200]!r}"
        return None


def adders(name, count, sku, has_versions=True):
    return [Adder(f"{name}-{number}", sku, has_versions) for number in range(count)]


class Visitor:
    """A user who does a little of everything, again and again, and leaves no more behind each time."""

    def __init__(self, name, sku):
        line = b"/v1/cart/lines/" + sku.encode()
        add = b'{"sku":"%s","quantity":2}' % sku.encode()
        self.round = [
            (request(b"POST", b"/v1/cart/lines", name, add), 200),
            (request(b"GET", b"/v1/cart", name), 200),
            (request(b"PATCH", line, name, b'{"quantity":5}'), 200),
            (request(b"POST", b"/v1/cart/lines", name, b'{"sku":'), 400),
            (request(b"GET", b"/v1/cart?view=summary", name), 200),
            (request(b"POST", b"/v1/cart/lines", name, b'{"sku":"no such thing"}'), 422),
            (request(b"DELETE", line, name), 200),
            (request(b"GET", b"/v1/nowhere", name), 404),
        ]
        self.turn = -1

    def next(self):
        self.turn = (self.turn + 1) % len(self.round)
        return self.round[self.turn][0]

    def take(self, status, body):
        wanted = self.round[self.turn][1]
        return None if status == wanted else f"turn {self.turn}: status {status}, not {wanted}: {body[:200]!r}"


class Hauler:
    """A user whose requests and answers are long: a note on each of many lines, another one each time."""

    def __init__(self, name, skus):
        self.name, self.skus = name, skus
        self.number = 0

    def next(self):
        self.number += 1
        self.note = f"{self.number:06}" + "x" * 900
        lines = [{"sku": sku, "quantity": 1, "extraData": {"note": self.note}} for sku in self.skus]
        return request(b"POST", b"/v1/cart/lines", self.name, json.dumps({"lines": lines}).encode())

    def take(self, status, body):
        if status != 200:
            return f"{self.name}: status {status}: {body[:200]!r}"
        cart = json.loads(body)
        if cart["version"] != self.number or len(cart["lines"]) != len(self.skus):
            return f"{self.name}: version {cart['version']}, {len(cart['lines'])} lines in answer {self.number}"
        if any(line["extraData"]["note"] != self.note or line["quantity"] != self.number for line in cart["lines"]):
            return f"{self.name}: another note or quantity in answer {self.number}"
        return None


def request(method, target, user, body=b""):
    head = b"%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: demoUser=%s\r\n" % (method, target, user.encode())
    if body:
        head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head + b"\r\n" + body


class _Client:
    """A connection, and who speaks on it."""

    def __init__(self, port, speaker):
        self.port, self.speaker = port, speaker
        self.pending = b""
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def ask(self):
        self.started = time.monotonic()
        self.socket.sendall(self.speaker.next())

    def receive(self):
        """The status and body of an answer, if it is complete."""
        more = self.socket.recv(1 << 18)
        if not more:
            raise ConnectionError("the connection ended")
        data = self.pending = self.pending + more if self.pending else more
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        start = data.find(b"\r\nContent-Length: ", 0, end)
        if start < 0:
            raise ConnectionError(f"no length: {data[:200]!r}")
        length = int(data[start + 18 : data.index(b"\r", start + 18)])
        if len(data) < end + 4 + length:
            return None
        self.pending = data[end + 4 + length :]
        return int(data[9:12]), data[end + 4 : end + 4 + length]


class Load:
    """`run` sends so many requests from all speakers and keeps what was wrong, as texts, and the longest wait."""

    def __init__(self, port, speakers):
        self.faults = []
        self.answers = 0
        self.slowest = 0.0
        self.seconds = 0.0
        self.poll = select.epoll()
        self.clients = {}
        for speaker in speakers:
            client = _Client(port, speaker)
            self.clients[client.socket.fileno()] = client
            self.poll.register(client.socket, select.EPOLLIN)

    def run(self, requests):
        started = time.monotonic()
        waiting = 0
        for client in list(self.clients.values())[:requests]:
            client.ask()
            waiting += 1
            requests -= 1
        while waiting:
            events = self.poll.poll(PATIENCE)
            if not events:
                self.faults.append(f"{waiting} answers did not come")
                break
            for number, _ in events:
                client = self.clients[number]
                try:
                    answer = client.receive()
                    if answer is None:
                        continue
                    fault = client.speaker.take(*answer)
                except (OSError, ValueError) as error:
                    fault = repr(error)
                    client = self._renew(client)
                self.answers += 1
                self.slowest = max(self.slowest, time.monotonic() - client.started)
                if fault:
                    self.faults.append(fault)
                waiting -= 1
                if requests > 0:
                    client.ask()
                    waiting += 1
                    requests -= 1
        self.seconds += time.monotonic() - started
        return self

    def _renew(self, client):
        del self.clients[client.socket.fileno()]
        client.socket.close()
        client.connect()
        self.clients[client.socket.fileno()] = client
        self.poll.register(client.socket, select.EPOLLIN)
        return client

    def close(self):
        for client in self.clients.values():
            client.socket.close()
        self.poll.close()

    def __str__(self):
        slowest = f"{self.slowest * 1000:.0f} ms"
        return f"{self.answers} answers in {self.seconds:.1f} s, {len(self.faults)} faults, slowest {slowest}"

    @property
    def first_faults(self):
        return "\n".join(self.faults[:PRINTED_FAULTS])
