"""The running instance of `nginx/up` that these tests ask, whose answers are all held against the description."""

import collections
import http.client
import json
import os
import pathlib
import sys
import time
import unittest
import urllib.parse

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "Load"), str(TESTS / "Pool")]

import cart_client  # noqa: E402
import pool_system  # noqa: E402

from description import Description, Undescribed  # noqa: E402

URL = cart_client.default_url()
SOURCE = TESTS.parent / "Sources" / "CartAPI" / "Description" / "openapi.json"
DESCRIPTION = Description(SOURCE.read_bytes())
# What was answered, by (method, path, status), with the codes of the problems.
SEEN = collections.defaultdict(set)


def import_products(products):
    """With SKUs of this run's own; workers know a change within a second."""
    cart_client.import_products(os.environ["CART_TEST_STATE"], products)


class Names:
    """Names that no other run has used."""

    stem = f"{os.getpid():x}-{time.time_ns():x}"
    count = 0

    @classmethod
    def new(cls, kind):
        cls.count += 1
        return f"{kind}-{cls.stem}-{cls.count}"


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body
        self.json = json.loads(body) if "json" in (response.headers["Content-Type"] or "") and body else None

    @property
    def code(self):
        return self.json["code"]


def ask(method, target, body=None, *, raw=None, user=None, guest=None, url=URL, **headers):
    """Sends a request, as the user, as the guest, or both, and holds the answer against the description."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        raw = json.dumps(body).encode()
    if raw is not None:
        headers.setdefault("Content-Type", "application/json")
        headers["Content-Length"] = str(len(raw))
    if user is not None:
        headers["Cookie"] = f"demoUser={user}"
    if guest is not None:
        headers["Guest-Cart-Id"] = guest
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(raw)
    return received(method, target, connection)


def received(method, target, connection):
    """Reads the answer to a request, which is closed then."""
    response = connection.getresponse()
    answer = Answer(response, response.read())
    connection.close()
    note(method, target, answer)
    return answer


def note(method, target, answer):
    """Methods that a path does not know are answered alike everywhere."""
    if answer.status == 405:
        described = DESCRIPTION.root["components"]["responses"]["MethodNotAllowed"]
        where = f"{method} {target} 405"
        DESCRIPTION.check_headers(where, described, answer.headers.items())
        headers = {name.lower(): value for name, value in answer.headers.items()}
        SEEN[method, "", 405].add(DESCRIPTION.check_body(where, described, headers, method, answer.body))
    elif method == "OPTIONS":
        if answer.status != 204 or answer.body or not answer.headers["Allow"]:
            raise Undescribed(f"OPTIONS {target}: {answer.status}")
    else:
        *place, code = DESCRIPTION.check(method, target, answer.status, answer.headers.items(), answer.body)
        SEEN[tuple(place)].add(code)


LINES = "/v1/cart/lines"


def line(sku):
    return f"{LINES}/{urllib.parse.quote(sku, safe='')}"


class ShopTests(unittest.TestCase):
    """Every test sells products of its own, to a shopper of its own."""

    def sell(self, *kinds):
        """A product for each dictionary of what is special about it; returns the SKUs."""
        skus = [Names.new("sku") for _ in kinds]
        common = {"unitPrice": 250, "currency": "GBP"}
        import_products([{"sku": sku, "name": f"Name of {sku}", **common, **kind} for sku, kind in zip(skus, kinds)])
        return skus

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer.body[:500])
        return answer.json

    def cart_with_problems(self, count, user):
        """The user's cart, once the server knows what was imported."""

        def cart():
            answer = ask("GET", "/v1/cart", user=user)
            return len(answer.json["problems"]) == count and answer

        return pool_system.eventually(cart, f"{count} problems")

    def added(self, *skus, **who):
        answer = ask("POST", LINES, {"lines": [{"sku": sku} for sku in skus]}, **who)
        self.assertEqual(answer.status, 200, answer.body[:500])
        return answer
