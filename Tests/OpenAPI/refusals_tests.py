"""Refusals are as described, whatever they are for."""

import unittest

from harness.shop import LINES, unique
from harness.web import line_path
from system import DESCRIPTION, INSTANCE, TARGETS, ShopTests, ask

FILES = {"/v1/openapi.json", "/v1/cart.js"}
# What is said of an addition alone.
ADDITIONS = {"out_of_stock", "not_on_sale_yet", "no_longer_on_sale"}


class Refusals(ShopTests):
    def test_what_the_rules_refuse(self):
        user = unique("user")
        rules = {
            "not_purchasable": {"active": False},
            "out_of_stock": {"stock": 0},
            "insufficient_stock": {"stock": 1},
            "purchase_limit": {"purchaseLimit": 1},
            "customer_limit": {"customerLimit": 1},
            "minimum_quantity": {"minimumQuantity": 3},
            "quantity_step": {"quantityStep": 3},
            "not_on_sale_yet": {"availableFrom": "2099-01-01T00:00:00Z"},
            "no_longer_on_sale": {"availableUntil": "2000-01-01T00:00:00Z"},
            "currency_mismatch": {"currency": "JPY"},
        }
        plain, *skus = self.sell({}, *rules.values())
        self.added(plain, user=user)
        for code, sku in zip([*rules, "unknown_sku"], [*skus, unique("nothing")]):
            for body in ({"sku": sku, "quantity": 2}, {"lines": [{"sku": plain}, {"sku": sku, "quantity": 2}]}):
                self.refused(ask("POST", LINES, body, user=user), 422, code)
        self.refused(ask("POST", LINES, {"sku": plain, "quantity": 1_000_000}, user=user), 422, "invalid_quantity")
        # Rules that come while there is a line are for its changes.
        changes = {code: rule for code, rule in rules.items() if code not in ADDITIONS}
        sold = self.sell(*[{}] * len(changes))
        self.added(*sold, user=user)
        INSTANCE.import_products({"sku": sku, **rule} for sku, rule in zip(sold, changes.values()))
        self.cart_with_problems(4, user)
        for sku, code in zip(sold, changes):
            self.refused(ask("PATCH", line_path(sku), {"delta": 1}, user=user), 422, code)

    def test_a_total_that_no_reader_could_keep(self):
        user = unique("user")
        skus = self.sell(*[{"unitPrice": 10**9}] * 10)
        lines = [{"sku": sku, "quantity": 10**6} for sku in skus]
        self.refused(ask("POST", LINES, {"lines": lines}, user=user), 422, "total_too_large")
        lines[9]["quantity"] = 1
        self.assertEqual(ask("POST", LINES, {"lines": lines}, user=user).status, 200)
        self.refused(ask("PATCH", line_path(skus[9]), {"quantity": 10**6}, user=user), 422, "total_too_large")

    def test_fields(self):
        for code, bodies in {
            "invalid_field": [{}, [], {"sku": 1}, {"sku": ".."}, {"lines": []}, {"sku": "a", "extraData": []},
                              {"lines": [], "sku": "a"}],
            "unknown_field": [{"sku": "a", "price": 1}, {"lines": [{"sku": "a", "é/~": 1}]}],
            "invalid_quantity": [{"sku": "a", "quantity": quantity} for quantity in (None, "1", 1.5, 0, 1000001)],
            "reserved_key": [{"sku": "a", "extraData": {"stock": "in"}}],
            "extra_data_too_large": [{"sku": "a", "extraData": {"a": "x" * 1024}}],
            "too_many_lines": [{"lines": [{"sku": "a"}] * 101}],
        }.items():
            for body in bodies:
                self.refused(ask("POST", LINES, body), 422, code)
        for method, path, code, body in [
            ("PATCH", line_path("a"), "invalid_field", {}),
            ("PATCH", line_path("a"), "unknown_field", {"colour": 1}),
            ("PATCH", line_path("a"), "invalid_quantity", {"delta": 1.0}),
            ("PATCH", line_path("a"), "reserved_key", {"extraData": {"stock": 1}}),
            ("PATCH", line_path("a"), "extra_data_too_large", {"extraData": {"a": "x" * 1024}}),
            ("PUT", "/v1/cart/selection", "invalid_field", {"selected": True}),
            ("PUT", "/v1/cart/selection", "unknown_field", {"a": 1, "selected": True, "all": True}),
            ("PUT", "/v1/cart/selection", "too_many_lines", {"selected": True, "skus": ["a"] * 2001}),
            ("POST", "/v1/cart/prices/acknowledge", "invalid_field", {"skus": 1}),
            ("POST", "/v1/cart/prices/acknowledge", "unknown_field", {"a": 1}),
            ("POST", "/v1/cart/prices/acknowledge", "too_many_lines", {"skus": ["a"] * 2001}),
            ("POST", "/v1/cart/merge", "invalid_field", {"strategy": "most"}),
            ("POST", "/v1/cart/merge", "unknown_field", {"a": 1}),
            ("POST", "/v1/cart/sync", "unknown_field", {"a": 1}),
            ("POST", "/v1/cart/sync", "invalid_field", []),
            ("POST", "/v1/cart/validate", "unknown_field", {"a": 1}),
            ("POST", "/v1/cart/validate", "invalid_field", []),
            ("POST", "/v1/orders", "idempotency_key_missing", {"expectedTotal": 1}),
            ("POST", f"{TARGETS['/v1/orders/{id}']}/cancel", "unknown_field", {"a": 1}),
        ]:
            self.refused(ask(method, path, body), 422, code)
        for code, body in {
            "invalid_field": {},
            "unknown_field": {"expectedTotal": 1, "a": 1},
            "too_many_lines": {"expectedTotal": 1, "skus": ["a"] * 2001},
            "extra_data_too_large": {"expectedTotal": 1, "data": {"a": "x" * 4096}},
        }.items():
            self.refused(ask("POST", "/v1/orders", body, Idempotency_Key="1"), 422, code)
        for method, target in [
            ("GET", "/v1/cart?view=whole"),
            ("GET", "/v1/orders?limit=0"),
            ("GET", "/v1/orders?before=x"),
            ("DELETE", "/v1/cart?x=1"),
            ("DELETE", line_path("a") + "?x=1"),
            ("DELETE", LINES),
            ("DELETE", f"{LINES}?sku=a&selected=true"),
            ("DELETE", f"{LINES}/.."),
            ("PATCH", f"{LINES}/.."),
        ]:
            self.refused(ask(method, target, {"delta": 1} if method == "PATCH" else None), 422, "invalid_field")
        self.refused(ask("DELETE", LINES + "?" + "&".join(["sku=a"] * 101)), 422, "too_many_lines")

    def test_what_every_request_is_refused_for(self):
        for method, path, operation in DESCRIPTION.operations():
            target = TARGETS[path]
            some = b"{}" if "requestBody" in operation else None
            self.refused(ask(method, target, body=some, Host="no host"), 400, "malformed_request")
            self.refused(ask(method, target, body=b" " * (256 * 1024 + 1)), 413, "body_too_large")
            self.refused(ask(method, f"{target}?{'x' * 40000}", body=some), 414, "uri_too_long")
            if not path.startswith("/ops") and path not in FILES:
                self.refused(ask(method, target, body=some, user="x" * 129), 401, "bad_token")
            if method != "GET":
                for header in ({"Origin": "https://elsewhere.example"}, {"Sec_Fetch_Site": "cross-site"}):
                    self.refused(ask(method, target, body=some, **header), 403, "cross_site")
            if method == "DELETE":
                self.refused(ask(method, target, {}), 400, "malformed_request")
            if some:
                self.refused(ask(method, target, body=some, Content_Type="text/plain"), 415, "not_json")
                self.refused(ask(method, target, body=b"{"), 400, "malformed_json")
                self.refused(ask(method, target, body=b'{"a":"\\u0000"}'), 400, "malformed_json")

    def test_other_methods(self):
        for path, target in TARGETS.items():
            known = {method for method, other, _ in DESCRIPTION.operations() if other == path}
            allowed = known | {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
            for method in {"BREW", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - allowed:
                answer = ask(method, target)
                self.assertEqual(answer.status, 405)
                self.assertEqual(set(answer.headers["Allow"].split(", ")), allowed)
            self.assertEqual(set(ask("OPTIONS", target).headers["Allow"].split(", ")), allowed)

    def test_versions_and_keys(self):
        user = unique("user")
        (sku,) = self.sell({})
        tag = self.added(sku, user=user).headers["ETag"]
        for method, target, body, other in [
            ("POST", LINES, {"sku": sku}, {"sku": sku, "quantity": 2}),
            ("PATCH", line_path(sku), {"delta": 1}, {"delta": 2}),
            ("PUT", "/v1/cart/selection", {"selected": True, "all": True}, {"selected": False, "all": True}),
            ("POST", "/v1/cart/prices/acknowledge", {}, {"skus": []}),
            ("DELETE", f"{LINES}?merchantId=m", None, f"{LINES}?merchantId=n"),
            ("DELETE", line_path("x"), None, line_path("y")),
            ("DELETE", "/v1/cart", None, None),
        ]:
            self.refused(ask(method, target, body, user=user, If_Match='"0-0"'), 412, "version_mismatch")
            key = unique("key")
            self.assertEqual(ask(method, target, body, user=user, If_Match="*", Idempotency_Key=key).status, 200)
            self.refused(ask(method, target, body, user=user, If_Match=tag), 412, "version_mismatch")
            again = ask(method, target, body, user=user, Idempotency_Key=key)
            self.assertEqual((again.status, again.headers["Idempotent-Replayed"]), (200, "true"))
            if isinstance(other, dict):
                self.refused(ask(method, target, other, user=user, Idempotency_Key=key), 422, "idempotency_key_reused")
            elif other:
                self.refused(ask(method, other, user=user, Idempotency_Key=key), 422, "idempotency_key_reused")
            else:
                self.added(sku, user=user, Idempotency_Key=(used := unique("key")))
                self.refused(ask(method, target, user=user, Idempotency_Key=used), 422, "idempotency_key_reused")
        self.refused(ask("PATCH", line_path("nothing"), {"delta": 1}, user=user), 404, "line_not_found")
        self.refused(ask("POST", LINES, {"sku": sku}, user=user, Idempotency_Key="x" * 256), 422, "invalid_field")


if __name__ == "__main__":
    unittest.main()
