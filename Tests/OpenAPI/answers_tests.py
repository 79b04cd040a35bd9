"""Answers of the running system are what the description says, in every situation that can be brought about."""

import unittest

from description import Description
from harness.shop import LINES, unique
from harness.web import line_path
from system import INSTANCE, TARGETS, ShopTests, ask


class Answers(ShopTests):
    def test_a_guest(self):
        sku, other = self.sell(
            {"picture": "/p/ü.jpg", "merchantId": "m7"}, {"stock": 12, "quantityStep": 2, "minimumQuantity": 2}
        )
        for target in ("/v1/cart", "/v1/cart?view=summary"):
            self.assertEqual(ask("GET", target).json["version"], 0)
            self.assertEqual(ask("HEAD", target).status, 200)
        first = ask("POST", LINES, {"sku": sku, "quantity": 3, "extraData": {"gift": [True, None, {"né": 1.5}]}})
        self.assertIn("guestCartId=", first.headers["Set-Cookie"])
        guest = first.headers["Guest-Cart-Id"]
        cart = ask("GET", "/v1/cart", guest=guest)
        self.assertEqual(ask("GET", "/v1/cart", guest=guest, If_None_Match=cart.headers["ETag"]).status, 304)
        for method, target, body in [
            ("POST", LINES, {"lines": [{"sku": other, "quantity": 4}, {"sku": sku}]}),
            ("PATCH", line_path(sku), {"quantity": 2, "selected": False, "extraData": {}}),
            ("PATCH", line_path(sku), {"delta": -1}),
            ("PUT", "/v1/cart/selection", {"selected": True, "all": True}),
            ("PUT", "/v1/cart/selection", {"selected": False, "merchantId": "m7"}),
            ("PUT", "/v1/cart/selection", {"selected": True, "skus": [sku, "nothing"]}),
            ("POST", "/v1/cart/prices/acknowledge", {}),
            ("POST", "/v1/cart/prices/acknowledge", {"skus": [sku]}),
            ("POST", "/v1/cart/validate", None),
            ("POST", "/v1/cart/sync", {}),
            ("DELETE", f"{LINES}?sku=nothing&sku={sku}", None),
            ("DELETE", f"{LINES}?merchantId=m7", None),
            ("DELETE", f"{LINES}?selected=true", None),
            ("DELETE", line_path(sku), None),
            ("DELETE", "/v1/cart", None),
        ]:
            for view in ("", "view=summary"):
                target_with_view = target + ("&" if "?" in target and view else "?" if view else "") + view
                self.assertEqual(ask(method, target_with_view, body, guest=guest).status, 200, target)

    def test_a_cart_whose_products_have_changed(self):
        user = unique("user")
        skus = self.sell(
            {"stock": 9}, {}, {}, {},
            {"purchaseLimit": 9, "customerLimit": 9, "availableFrom": "2020-01-01T00:00:00Z",
             "availableUntil": "2099-01-01T00:00:00Z"},
            {"stock": 7}, {"stock": 50},
        )  # fmt: skip
        ask("POST", LINES, {"lines": [{"sku": sku, "quantity": 5} for sku in skus]}, user=user)
        INSTANCE.import_products(
            [
                {"sku": skus[0], "unitPrice": 300, "stock": 4},
                {"sku": skus[1], "unitPrice": 200, "active": False},
                {"sku": skus[2], "currency": "EUR"},
                {"sku": skus[3], "availableFrom": "2098-01-01T00:00:00Z"},
                {"sku": skus[4], "purchaseLimit": 1, "customerLimit": 1, "minimumQuantity": 7, "quantityStep": 7},
                {"sku": skus[5], "stock": 0, "availableFrom": "2020-01-01T00:00:00Z", "picture": "/p/5"},
            ]
        )
        answer = self.cart_with_problems(9, user)
        lines = {line["sku"]: line for line in answer.json["lines"]}
        self.assertIsNone(lines[skus[2]]["current"])
        self.assertEqual(lines[skus[0]]["priceChange"]["direction"], "increase")
        self.assertEqual(lines[skus[1]]["priceChange"]["direction"], "decrease")
        self.assertEqual(
            [lines[sku]["extraData"].get("stock") for sku in skus],
            ["insufficient", None, None, None, None, "out", "in"],
        )
        self.assertEqual(ask("GET", "/v1/cart?view=summary", user=user).status, 200)
        self.assertFalse(ask("POST", "/v1/cart/validate", {}, user=user).json["ok"])
        body = {"expectedTotal": answer.json["totals"]["selected"]}
        refusal = ask("POST", "/v1/orders", body, user=user, Idempotency_Key="1")
        self.assertGreater(len(self.refused(refusal, 409, "cart_not_ready")["errors"]), 7)

    def test_merges(self):
        both, scarce, foreign, mine = self.sell({}, {"stock": 1}, {"currency": "EUR"}, {})
        outcomes = set()
        for strategy in ("sum", "overwrite", "keep", "max"):
            user, key = unique("user"), unique("key")
            self.added(both, mine, user=user)
            guest = self.added(both, both, scarce).headers["Guest-Cart-Id"]
            body = {"strategy": strategy}
            self.refused(
                ask("POST", "/v1/cart/merge", body, user=user, guest=guest, If_Match='"7-0"'), 412, "version_mismatch"
            )
            answer = ask("POST", "/v1/cart/merge", body, user=user, guest=guest, Idempotency_Key=key)
            outcomes |= {line["outcome"] for line in answer.json["merge"]["lines"]}
            self.assertIn("Max-Age=0", answer.headers["Set-Cookie"])
            again = ask("POST", "/v1/cart/merge", body, user=user, guest=guest, Idempotency_Key=key)
            self.assertEqual(again.headers["Idempotent-Replayed"], "true")
            self.refused(
                ask("POST", "/v1/cart/merge", {}, user=user, guest=guest, Idempotency_Key=key),
                422,
                "idempotency_key_reused",
            )
            self.refused(ask("POST", "/v1/cart/merge", {}, user=user, guest=guest), 409, "nothing_to_merge")
            self.assertEqual(ask("GET", "/v1/cart", guest=guest).json["version"], 0)
        guest = self.added(foreign).headers["Guest-Cart-Id"]
        answer = ask("GET", "/v1/cart", user=user, guest=guest, If_None_Match="*")
        outcomes |= {line["outcome"] for line in answer.json["merge"]["lines"]}
        guest = self.added(scarce).headers["Guest-Cart-Id"]
        answer = ask("POST", "/v1/cart/merge?view=summary", {}, user=user, guest=guest)
        self.assertEqual(answer.status, 200)
        self.refused(ask("POST", "/v1/cart/merge", {}), 409, "nothing_to_merge")
        self.assertEqual(outcomes, {"summed", "overwritten", "kept", "added", "dropped"})

    def test_a_merge_before_another_request(self):
        # Whatever that comes to, the cookie is cleared.
        (sku,) = self.sell({"stock": 3})
        order = TARGETS["/v1/orders/{id}"]
        for method, target, body, status in [
            ("GET", "/v1/cart?view=summary", None, 200),
            ("POST", LINES, {"sku": sku}, 200),
            ("POST", LINES, {"sku": sku, "quantity": 9}, 422),
            ("POST", LINES, {"sku": 9}, 422),
            ("PATCH", line_path("nothing"), {"delta": 1}, 404),
            ("DELETE", line_path(sku), None, 200),
            ("DELETE", f"{LINES}?selected=true", None, 200),
            ("DELETE", LINES, None, 422),
            ("DELETE", "/v1/cart", None, 200),
            ("PUT", "/v1/cart/selection", {"selected": True, "all": True}, 200),
            ("POST", "/v1/cart/prices/acknowledge", {}, 200),
            ("POST", "/v1/cart/sync", None, 200),
            ("POST", "/v1/cart/validate", None, 200),
            ("GET", "/v1/orders", None, 200),
            ("GET", "/v1/orders?limit=x", None, 422),
            ("GET", order, None, 404),
            ("POST", f"{order}/cancel", None, 404),
            ("POST", "/v1/orders", {"expectedTotal": 250}, 201),
            ("POST", "/v1/orders", {"expectedTotal": 1}, 409),
            ("POST", "/v1/orders", {"expectedTotal": 250, "cartVersion": 77}, 412),
            ("POST", "/v1/orders", {"expectedTotal": 250, "skus": ["nothing"]}, 404),
        ]:
            guest = self.added(sku).headers["Guest-Cart-Id"]
            answer = ask(method, target, body, user=unique("user"), guest=guest, Idempotency_Key=unique("key"))
            self.assertEqual(answer.status, status, answer.body[:500])
            self.assertIn("Max-Age=0", answer.headers["Set-Cookie"], f"{method} {target}")

    def test_orders(self):
        plain, limited, counted = self.sell(
            {"merchantId": "m7"}, {"customerLimit": 1, "unitPrice": 0}, {"stock": 5, "picture": "/p"}
        )
        for who in ({"user": unique("user")}, {"guest": self.added(plain).headers["Guest-Cart-Id"]}):
            self.added(plain, limited, counted, **who)
            cart = ask("PATCH", line_path(plain), {"quantity": 1, "extraData": {"engraving": "Ä"}}, **who).json
            self.assertTrue(ask("POST", "/v1/cart/validate", **who).json["ok"])
            key = unique("key")
            body = {
                "expectedTotal": cart["totals"]["selected"],
                "cartVersion": cart["version"],
                "data": {"note": [1, 2.5]},
            }
            for refused, status, code in [
                ({"expectedTotal": 1}, 409, "total_changed"),
                ({"expectedTotal": 1, "skus": []}, 409, "cart_empty"),
                ({"expectedTotal": 1, "skus": ["nothing", plain]}, 404, "line_not_found"),
                ({"expectedTotal": 1, "cartVersion": 0}, 412, "version_mismatch"),
            ]:
                self.refused(ask("POST", "/v1/orders", refused, Idempotency_Key=key, **who), status, code)
            self.refused(
                ask("POST", "/v1/orders", body, Idempotency_Key=key, If_Match='"0"', **who), 412, "version_mismatch"
            )
            order = ask("POST", "/v1/orders", body, Idempotency_Key=key, **who)
            self.assertEqual((order.status, order.headers["Location"]), (201, f"/v1/orders/{order.json['id']}"))
            replay = ask("POST", "/v1/orders", body, Idempotency_Key=key, **who)
            self.assertEqual((replay.status, replay.json), (200, order.json))
            self.refused(
                ask("POST", "/v1/orders", {"expectedTotal": 1}, Idempotency_Key=key, **who),
                422,
                "idempotency_key_reused",
            )
            self.added(limited, counted, **who)
            self.assertEqual(
                [problem["code"] for problem in ask("POST", "/v1/cart/validate", **who).json["problems"]],
                ["customer_limit"],
            )
            second = ask(
                "POST", "/v1/orders", {"expectedTotal": 250, "skus": [counted]}, Idempotency_Key=unique("key"), **who
            )
            page = ask("GET", "/v1/orders?limit=1", **who).json
            self.assertEqual([order["id"] for order in page["orders"]], [second.json["id"]])
            self.assertEqual(
                [order["id"] for order in ask("GET", f"/v1/orders?before={page['next']}", **who).json["orders"]],
                [order.json["id"]],
            )
            target = order.headers["Location"]
            self.assertEqual(ask("GET", target, **who).json, order.json)
            self.assertEqual(ask("HEAD", target, **who).status, 200)
            self.refused(ask("GET", target, user=unique("user")), 404, "order_not_found")
            for _ in range(2):
                self.assertEqual(ask("POST", f"{target}/cancel", {}, **who).json["status"], "cancelled")
            INSTANCE.cartctl("order", "accept", second.json["id"])
            self.assertEqual(ask("GET", second.headers["Location"], **who).json["status"], "accepted")
            self.refused(ask("POST", f"{second.headers['Location']}/cancel", **who), 409, "not_cancellable")

    def test_files(self):
        for target in ("/v1/openapi.json", "/v1/cart.js"):
            answer = ask("GET", target, user="x" * 129, Guest_Cart_Id="forged")
            self.assertEqual(answer.status, 200)
            self.assertEqual(ask("GET", target, If_None_Match=answer.headers["ETag"]).status, 304)
            self.assertEqual(ask("HEAD", target).headers["Content-Length"], str(len(answer.body)))
        Description(ask("GET", "/v1/openapi.json").body)

    def test_operations(self):
        for target in ("/ops/health", "/ops/ready", "/ops/metrics", "/ops/status", "/ops/status?format=json"):
            self.assertEqual(ask("GET", target).status, 200)


if __name__ == "__main__":
    unittest.main()
