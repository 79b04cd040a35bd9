import TestSupport
import Testing

/// `/v1/orders`, as far as nothing can be ordered; what can be is asked of the whole system, in EndToEndTests.
@Suite struct Orders {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  private func order(_ shopper: Shopper, _ body: JSON, key: String? = "k") throws -> Answer {
    try shopper.send("POST", "/v1/orders", body, headers: key.map { ["Idempotency-Key": $0] } ?? [:])
  }

  @Test func keysAreChecked() throws {
    for shopper in [shop.newUser(), shop.newGuest()] {
      try expectProblem(order(shopper, ["expectedTotal": 1], key: nil), 422, "idempotency_key_missing")
      let long = String(repeating: "k", count: 256)
      try expectProblem(order(shopper, ["expectedTotal": 1], key: long), 422, "invalid_field")
    }
  }

  @Test func fieldsAreChecked() throws {
    let user = shop.newUser()
    for (fields, code, pointer) in [
      ([:], "invalid_field", "/expectedTotal"), (["expectedTotal": "1"], "invalid_field", "/expectedTotal"),
      (["expectedTotal": -1], "invalid_field", "/expectedTotal"),
      (["expectedTotal": 1.5], "invalid_field", "/expectedTotal"),
      (["expectedTotal": nil], "invalid_field", "/expectedTotal"),
      (["expectedTotal": [1]], "invalid_field", "/expectedTotal"),
      (["expectedTotal": 1, "total": 1], "unknown_field", "/total"),
      (["expectedTotal": 1, "cartVersion": "2"], "invalid_field", "/cartVersion"),
      (["expectedTotal": 1, "skus": "A"], "invalid_field", "/skus"),
      (["expectedTotal": 1, "data": []], "invalid_field", "/data"), ([], "invalid_field", ""),
    ] as [(JSON, String, String)] {
      try expectProblem(order(user, fields), 422, code, pointer: pointer)
    }
    let long: JSON = ["x": .string(String(repeating: "x", count: 4_090))]
    try expectProblem(order(user, ["expectedTotal": 1, "data": long]), 422, "extra_data_too_large", pointer: "/data")
    try expectProblem(user.send("POST", "/v1/orders", text: ""), 400, "malformed_json")
    try expectProblem(user.send("PUT", "/v1/orders", [:]), 405, "method_not_allowed")
    for query in ["limit=0", "limit=101", "limit=x", "limit=1&limit=2", "before=nonsense"] {
      try expectProblem(user.send("GET", "/v1/orders?\(query)"), 422, "invalid_field")
    }
  }

  @Test func nobodyHasNothingToOrder() throws {
    let guest = shop.newGuest()
    try expectProblem(order(guest, ["expectedTotal": 1]), 409, "cart_empty", hasCart: true)
    try expectProblem(
      order(guest, ["expectedTotal": 1, "cartVersion": 1]), 412, "version_mismatch", hasCart: true)
    try expectProblem(
      order(guest, ["expectedTotal": 1, "skus": ["t-a"]]), 404, "line_not_found", pointer: "/skus/0", hasCart: true)
    try expectProblem(guest.send("GET", "/v1/orders/0123456789abcdef"), 404, "order_not_found")
    #expect(try guest.send("GET", "/v1/orders?limit=100&utm=1").json == ["orders": [], "next": nil])
  }
}
