"""A keep-alive client of the cart's HTTP API for the load programs. Python's standard library, nothing else."""

import http.client
import json
import os
import random
import subprocess
import tempfile
import urllib.parse


class Unexpected(Exception):
    """The server answered something that the program did not expect."""


class Answer:
    """Status, headers and JSON of one response."""

    def __init__(self, response):
        body = response.read()
        self.status = response.status
        self.headers = response.headers
        try:
            self.json = json.loads(body) if body else None
        except ValueError as error:
            raise Unexpected(f"status {self.status}, no JSON: {body[:200]!r}") from error

    @property
    def replayed(self):
        return self.headers.get("Idempotent-Replayed") == "true"


class Client:
    """One shopper on several connections, so that one cart is served by several workers."""

    def __init__(self, url, user=None, connections=2, randomness=None):
        place = urllib.parse.urlsplit(url)
        self.connections = [
            http.client.HTTPConnection(place.hostname, place.port, timeout=60) for _ in range(connections)
        ]
        self.randomness = randomness or random.Random()
        self.user = user
        self.guest = None
        self.requests = 0

    def start(self, method, path, body=None, connection=None, **headers):
        """Sends a request and returns the connection from which `finish` reads the answer."""
        connection = connection or self.randomness.choice(self.connections)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        cookies = []
        if self.user is not None:
            cookies.append("demoUser=" + self.user)
        if self.guest is not None:
            cookies.append("guestCartId=" + self.guest)
        if cookies:
            headers["Cookie"] = "; ".join(cookies)
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body=payload, headers=headers)
        self.requests += 1
        return connection

    def finish(self, connection):
        answer = Answer(connection.getresponse())
        issued = answer.headers.get("Guest-Cart-Id")
        if issued:
            self.guest = issued
        return answer

    def send(self, method, path, body=None, **headers):
        return self.finish(self.start(method, path, body, **headers))

    def ok(self, method, path, body=None, **headers):
        """Sends a request that must succeed, and returns the cart."""
        answer = self.send(method, path, body, **headers)
        if answer.status != 200:
            raise Unexpected(f"{method} {path}: status {answer.status}: {str(answer.json)[:300]}")
        return answer.json

    def close(self):
        for connection in self.connections:
            connection.close()


def line_path(sku):
    return "/v1/cart/lines/" + urllib.parse.quote(sku, safe="")


def cartctl(state, *arguments):
    """Runs the `cartctl` of the instance whose files lie under `state`."""
    command = 'set -a; . "$0"; exec "$@"'
    program = ["/bin/sh", "-c", command, os.path.join(state, "env"), os.path.join(state, "bin", "cartctl")]
    return subprocess.run(program + list(arguments), check=True, capture_output=True, text=True)


def import_products(state, products):
    """Imports a list of products as NDJSON."""
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson", encoding="utf-8") as file:
        for product in products:
            file.write(json.dumps(product) + "\n")
        file.flush()
        cartctl(state, "catalog", "import", file.name)


def default_url():
    return os.environ.get("CART_TEST_URL", "http://127.0.0.1:8080").rstrip("/")
