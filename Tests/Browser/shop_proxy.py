"""A proxy between the browser and nginx that serves the pages of a test, keeps what was asked, and fails on purpose."""

import contextlib
import dataclasses
import http.server
import re
import socket
import threading

from harness.processes import PATIENCE
from harness.web import Exchange


@dataclasses.dataclass
class Request:
    """One attempt, as it reached the proxy; `status` is None until it is answered, and 0 if it never is."""

    method: str
    path: str
    headers: dict
    body: bytes
    status: int | None = None
    answered_bytes: int = 0

    @property
    def key(self):
        return self.headers.get("Idempotency-Key")


class Fault:
    """What is done to the next `times` requests that a pattern of `METHOD path` finds."""

    def __init__(self, pattern, times=1):
        self.pattern, self.times = re.compile(pattern), times

    def answer(self, forward):
        """The answer that the browser is to have instead, a tuple of status, headers and body; None for none."""
        raise NotImplementedError


class Refuse(Fault):
    """An answer of the proxy's own; the shop never hears of the request."""

    def __init__(self, pattern, status, times=1, headers=(), body=b"<h1>Away</h1>"):
        super().__init__(pattern, times)
        self.own = status, list(headers), body

    def answer(self, forward):
        return self.own


class Cut(Fault):
    """The request has its effect, and its answer is lost."""

    def answer(self, forward):
        forward()


class Hold(Fault):
    """The request waits for `release` before it goes on."""

    def __init__(self, pattern, times=1):
        super().__init__(pattern, times)
        self.released = threading.Event()

    def release(self):
        self.released.set()

    def answer(self, forward):
        self.released.wait(PATIENCE)
        return forward()


class ShopProxy:
    """Before the shop at `url`, on a port of its own."""

    def __init__(self, url):
        self.target = url
        self.pages = {}
        self.requests = []
        self.faults = []
        self.changed = threading.Condition()
        proxy = self

        class Handler(_Handler):
            shop = proxy

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def fail(self, fault):
        with self.changed:
            self.faults.append(fault)
        return fault

    def forget(self):
        """Forgets the requests, faults and pages of the last test."""
        with self.changed:
            self.requests, self.faults, self.pages = [], [], {}

    def asked(self, pattern):
        """The requests so far, in order."""
        with self.changed:
            return [request for request in self.requests if re.search(pattern, f"{request.method} {request.path}")]

    def wait_until(self, is_true, what):
        """Until the requests so far make it true."""
        with self.changed:
            if not self.changed.wait_for(is_true, PATIENCE):
                raise AssertionError(f"not within {PATIENCE} s: {what}; there were {self.requests}")

    def wait_for(self, pattern, count=1, are_answered=True):
        """Until there were so many requests; returns them."""
        def is_there():
            found = self.asked(pattern)
            return len(found) >= count and (not are_answered or all(one.status is not None for one in found))

        self.wait_until(is_there, f"{count} of {pattern!r}")
        return self.asked(pattern)

    def fault_for(self, request):
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
            for fault in self.faults:
                if fault.times > 0 and fault.pattern.search(f"{request.method} {request.path}"):
                    fault.times -= 1
                    return fault
        return None

    def forward(self, request):
        headers = [(name, value) for name, value in request.headers.items() if name.lower() != "connection"]
        answer = Exchange(self.target, request.method, request.path, request.body or None, headers).finish()
        left_out = {"connection", "transfer-encoding", "content-length"}
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in left_out]
        return answer.status, kept, answer.body

    def finish(self, request, status, answered_bytes):
        with self.changed:
            request.status, request.answered_bytes = status, answered_bytes
            self.changed.notify_all()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Closes each connection after its answer: a browser repeats by itself what was lost on a connection in use."""

    shop = None

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        page = self.shop.pages.get(self.path)
        if page is not None:
            return self.send(200, [("Content-Type", page[0]), ("Cache-Control", "no-cache")], page[1])
        request = Request(self.command, self.path, dict(self.headers), body)
        fault = self.shop.fault_for(request)

        def forward():
            return self.shop.forward(request)

        answer = fault.answer(forward) if fault else forward()
        # The browser may have left.
        with contextlib.suppress(OSError):
            if answer:
                self.send(*answer)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
        status, _, content = answer or (0, [], b"")
        return self.shop.finish(request, status, len(content))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

    def send(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
