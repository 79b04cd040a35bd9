"""The running instance of `nginx/up` that these tests ask, whose answers are all held against the description."""

import collections
import pathlib
import unittest

from harness import shop
from harness.processes import PATIENCE, wait_until
from harness.shop import LINES, URL, product, unique
from harness.web import connect, receive, send

from description import Description, Undescribed

INSTANCE = shop.Instance()
SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent / "Sources" / "CartAPI" / "Description" / "openapi.json"
DESCRIPTION = Description(SOURCE.read_bytes())
ORDER_ID = "4NqLr8h2Qm7TzP0xWc9YbE"
# A target for each path: of a line and an order that there are not.
TARGETS = {path: path.replace("{sku}", "nothing").replace("{id}", ORDER_ID) for _, path, _ in DESCRIPTION.operations()}
# What was answered, by (method, path, status), with the codes of the problems.
SEEN = collections.defaultdict(set)


def ask(method, target, body=None, *, user=None, guest=None, url=URL, **headers):
    """Sends a request, as the user, as the guest, or both, and holds the answer against the description."""
    connection = connect(url)
    if guest is not None:
        headers["Guest-Cart-Id"] = guest
    send(connection, method, target, body, headers, user)
    return received(method, target, connection)


def received(method, target, connection):
    """Reads the answer to a request, which is closed then."""
    answer = receive(connection)
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


class ShopTests(unittest.TestCase):
    """Every test sells products of its own, to a shopper of its own."""

    def sell(self, *kinds):
        """A product for each dictionary of what is special about it; returns the SKUs."""
        skus = [unique("sku") for _ in kinds]
        INSTANCE.import_products(product(sku) | {"unitPrice": 250} | kind for sku, kind in zip(skus, kinds))
        return skus

    def refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer.body[:500])
        return answer.json

    def cart_with_problems(self, count, user):
        """The user's cart, once the server knows what was imported."""

        def cart():
            answer = ask("GET", "/v1/cart", user=user)
            return len(answer.json["problems"]) == count and answer

        return wait_until(cart, PATIENCE, f"{count} problems")

    def added(self, *skus, **who):
        answer = ask("POST", LINES, {"lines": [{"sku": sku} for sku in skus]}, **who)
        self.assertEqual(answer.status, 200, answer.body[:500])
        return answer
