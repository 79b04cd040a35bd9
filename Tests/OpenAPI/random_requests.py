"""What schemathesis has to be told of carts: who asks, what is sold, and what JSON Schema can't say of a valid request.

Requests that break the schema on purpose are sent as they are.
"""

import hashlib
import itertools
import json

import schemathesis
from schemathesis.generation.meta import TestPhase

from harness import shop
from harness.shop import product, unique
from harness.web import Exchange

SKUS = [unique("sku") for _ in range(6)]
RULES = [{}, {"stock": 10**6}, {"purchaseLimit": 3}, {"customerLimit": 5}, {"quantityStep": 2, "minimumQuantity": 4}, {}]
shop.Instance().import_products(product(sku, unitPrice=5, **rule) for sku, rule in zip(SKUS, RULES))
USERS = [unique("user") for _ in range(3)]
requests = itertools.count()

# What says that the form of a request is wrong, and not that it does not fit the cart or the shop.
FORM = {
    "malformed_json", "malformed_request", "not_json", "invalid_field", "unknown_field", "reserved_key",
    "extra_data_too_large", "idempotency_key_missing",
}  # fmt: skip


def chosen(value, count):
    """The same number below `count` for the same value, in every run."""
    return hashlib.sha256(repr(value).encode()).digest()[0] % count


def sold(sku):
    """Mostly something that there is."""
    return sku if chosen(sku, 4) == 0 and is_sku(sku) else SKUS[chosen(sku, len(SKUS))]


def is_sku(text):
    """JSON Schema counts characters, the server bytes."""
    return len(text.encode()) <= 64


def tamed(value, name=None):
    """A valid body as the server's clients write it: whole numbers without a fraction, which JSON Schema takes for the
    same, within 64 bits, and SKUs that are short enough."""
    if isinstance(value, dict):
        return {key: tamed(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [tamed(element, name) for element in value]
    if isinstance(value, str) and name in ("sku", "skus"):
        return sold(value)
    if isinstance(value, str) and name == "merchantId":
        return value if is_sku(value) else "main"
    if isinstance(value, float) and value.is_integer() or isinstance(value, int) and not isinstance(value, bool):
        return max(-(2**63), min(2**63 - 1, int(value)))
    return value


def limited(values, most):
    """Without them where they are too many bytes, which JSON Schema can't count."""
    return values if len(json.dumps(values, ensure_ascii=False).encode()) <= most else {}


def who(number):
    """The headers of a user, of a guest, of both, or of nobody."""
    if number % 4 == 0:
        return {"Cookie": f"demoUser={USERS[number // 4 % len(USERS)]}"}
    if number % 4 == 1:
        return {}
    _, headers = asked("/v1/cart/lines", {}, {"sku": SKUS[0]})
    guest = {"Guest-Cart-Id": headers["Guest-Cart-Id"]}
    return guest if number % 4 == 2 else guest | {"Cookie": f"demoUser={USERS[number // 4 % len(USERS)]}"}


def asked(target, identity, body=None):
    """The answer to a request that is none of the test's own, and its headers."""
    answer = Exchange(shop.URL, "GET" if body is None else "POST", target, body, identity).finish()
    assert answer.status == 200, answer.body
    return answer.json, answer.headers


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(requests)
    # What one request of a sequence has made, the next one uses.
    is_sequence = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    identity = who(0 if is_sequence else number)
    case.headers = {**(case.headers or {}), **identity}
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # A version that nobody has is refused before anything else is looked at.
    if chosen(case.headers.get("If-Match"), 4):
        case.headers.pop("If-Match", None)
    if "sku" in (case.path_parameters or {}):
        case.path_parameters["sku"] = sold(case.path_parameters["sku"])
    operation = case.operation.definition.raw.get("operationId")
    if operation == "removeLines":
        case.query = one_filter(case.query or {})
    if isinstance(case.body, dict):
        case.body = tamed(case.body)
        for line in [case.body, *case.body.get("lines", [])]:
            if "extraData" in line:
                line["extraData"] = limited(line["extraData"], 1024)
        if "data" in case.body:
            case.body["data"] = limited(case.body["data"], 4096)
    if number % 3 and identity and operation in ("editLine", "placeOrder"):
        # There is something to change, or to order, and the shopper has seen what it costs.
        sku = case.path_parameters["sku"] if operation == "editLine" else SKUS[0]
        if sku in SKUS[:2]:
            asked("/v1/cart/lines", identity, {"sku": sku})
        if operation == "placeOrder":
            case.body = {"expectedTotal": asked("/v1/cart?view=summary", identity)[0]["totals"]["selected"]}


def one_filter(query):
    """Exactly one kind, which OpenAPI can't ask for."""
    skus = [sku for sku in query.get("sku", []) if is_sku(sku)]
    filters = {"sku": skus} if skus else {name: query[name] for name in ("merchantId", "selected") if name in query}
    name, value = next(iter(filters.items()), ("selected", "true"))
    if name == "merchantId" and not is_sku(value):
        value = "main"
    return {name: value} | {name: query[name] for name in ("view",) if name in query}


@schemathesis.check
def valid_form_is_understood(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code < 400:
        return
    code = response.json().get("code")
    if code in FORM:
        raise AssertionError(f"a request that the description allows is refused for its form: {response.json()}")
