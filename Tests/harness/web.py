"""Requests to a web server: each on a connection of its own, or one after the other on connections that are kept."""

import http.client
import json
import random
import ssl
import urllib.parse

from harness.processes import PATIENCE
from harness.wire import Answer


class Unexpected(Exception):
    """The server answered something that the program did not expect."""


def connect(url, source=None, seconds=PATIENCE):
    """A connection to the server of a URL, perhaps from an address. A certificate may be anybody's."""
    place = urllib.parse.urlsplit(url)
    options = {"timeout": seconds, "source_address": source and (source, 0)}
    if place.scheme == "https":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection(place.hostname, place.port, context=context, **options)
    return http.client.HTTPConnection(place.hostname, place.port, **options)


def send(connection, method, target, body=None, headers=(), user=None, guest=None):
    """Sends a request. `body`: bytes, or what becomes JSON. `headers`: pairs, or a dictionary; names may have "_" for
    "-" where they are a dictionary's. `user` and `guest` are named by cookies."""
    if isinstance(headers, dict):
        headers = [(name.replace("_", "-"), str(value)) for name, value in headers.items()]
    cookies = [f"demoUser={user}"] * (user is not None) + [f"guestCartId={guest}"] * (guest is not None)
    headers = [*headers, *[("Cookie", "; ".join(cookies))] * bool(cookies)]
    names = {name.lower() for name, _ in headers}
    payload = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    if payload is not None and "content-type" not in names:
        headers.append(("Content-Type", "application/json"))
    if (payload is not None or method in ("POST", "PUT", "PATCH")) and "content-length" not in names:
        headers.append(("Content-Length", str(len(payload or b""))))
    connection.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
    for header in headers:
        connection.putheader(*header)
    connection.endheaders(payload)


def receive(connection):
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


class Exchange:
    """A request on a connection of its own, whose answer is still to be read."""

    def __init__(self, url, *request, source=None):
        self.connection = connect(url, source)
        send(self.connection, *request)

    def finish(self):
        try:
            return receive(self.connection)
        finally:
            self.abandon()

    def abandon(self):
        self.connection.close()


class Client:
    """One shopper on several connections, so that one cart is served by several workers. He keeps the guest's id that
    he is given."""

    def __init__(self, url, user=None, connections=2, randomness=None):
        self.connections = [connect(url, seconds=60) for _ in range(connections)]
        self.randomness = randomness or random.Random()
        self.user = user
        self.guest = None
        self.requests = 0

    def start(self, method, target, body=None, connection=None, **headers):
        """Sends a request and returns the connection from which `finish` reads the answer."""
        connection = connection or self.randomness.choice(self.connections)
        send(connection, method, target, body, headers, self.user, self.guest)
        self.requests += 1
        return connection

    def finish(self, connection):
        try:
            answer = receive(connection)
        except ValueError as error:
            raise Unexpected("half a body") from error
        self.guest = answer.headers["Guest-Cart-Id"] or self.guest
        return answer

    def ask(self, method, target, body=None, **headers):
        return self.finish(self.start(method, target, body, **headers))

    def ok(self, method, target, body=None, **headers):
        """Sends a request that must succeed, and returns the cart."""
        answer = self.ask(method, target, body, **headers)
        if answer.status != 200:
            raise Unexpected(f"{method} {target}: status {answer.status}: {str(answer.json)[:300]}")
        return answer.json

    def close(self):
        for connection in self.connections:
            connection.close()


def line_path(sku):
    return "/v1/cart/lines/" + urllib.parse.quote(sku, safe="")
