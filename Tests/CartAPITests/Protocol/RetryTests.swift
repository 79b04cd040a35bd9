import CartAPI
import CartDomain
import Testing

/// `Idempotency-Key`.
@Suite struct Retries {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A")
    try shop.sell("B")
  }

  private func keyed(_ key: String, _ method: String, _ target: String, _ body: String? = nil) -> Answer {
    shop.send(method, target, body, user: "u", headers: [.idempotencyKey: key])
  }

  @Test func aReplayAnswersTheCartAsItIs() {
    let first = keyed("k", "POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    #expect(first["Idempotent-Replayed"] == nil)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"B"}"#, user: "u")
    let second = keyed("k", "POST", "/v1/cart/lines?view=whatever", #"{"sku":"A"}"#)
    expectProblem(second, 422, "invalid_field")
    let third = keyed("k", "POST", "/v1/cart/lines?view=summary", #"{"sku":"A"}"#)
    #expect(third["Idempotent-Replayed"] == "true")
    #expect(third.json["version"] == 2)
    let stale = shop.send(
      "POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u", headers: [.idempotencyKey: "k", .ifMatch: "\"0-x\""])
    #expect(stale.status == 200)
    #expect(stale.skus == ["A", "B"])
  }

  @Test func theKeyBelongsToMethodPathAndBody() {
    _ = keyed("k", "POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    for (method, target, body) in [
      ("POST", "/v1/cart/lines", #"{"sku":"A" }"#), ("PATCH", "/v1/cart/lines/A", #"{"delta":1}"#),
      ("DELETE", "/v1/cart", nil), ("DELETE", "/v1/cart/lines/A", nil), ("DELETE", "/v1/cart/lines?sku=A", nil),
      ("PUT", "/v1/cart/selection", #"{"selected":false,"all":true}"#),
    ] as [(String, String, String?)] {
      expectProblem(keyed("k", method, target, body), 422, "idempotency_key_reused", hasCart: false)
    }
    // The same body, under another path.
    shop.send("POST", "/v1/cart/lines", #"{"sku":"B"}"#, user: "u")
    #expect(keyed("p", "PATCH", "/v1/cart/lines/A", #"{"delta":1}"#).json["version"] == 3)
    expectProblem(keyed("p", "PATCH", "/v1/cart/lines/B", #"{"delta":1}"#), 422, "idempotency_key_reused")
    #expect(keyed("d", "DELETE", "/v1/cart/lines?sku=A").json["version"] == 4)
    expectProblem(keyed("d", "DELETE", "/v1/cart/lines?sku=B"), 422, "idempotency_key_reused")
    #expect(keyed("d", "DELETE", "/v1/cart/lines?sku=A")["Idempotent-Replayed"] == "true")
  }

  @Test(arguments: ["~", " ", String(repeating: "k", count: 255), "two words", "\"quoted\""])
  func aKeyIsPrintableASCII(key: String) {
    #expect(keyed(key, "POST", "/v1/cart/lines", #"{"sku":"A"}"#).status == 200)
    #expect(keyed(key, "POST", "/v1/cart/lines", #"{"sku":"A"}"#)["Idempotent-Replayed"] == "true")
  }

  @Test(arguments: [String(repeating: "k", count: 256), "é", "tab\t", "\u{7F}", "\u{0}"])
  func anotherKeyIsRefused(key: String) {
    expectProblem(keyed(key, "POST", "/v1/cart/lines", #"{"sku":"A"}"#), 422, "invalid_field")
    #expect(shop.store.calls == 0)
    #expect(shop.send("GET", "/v1/cart", user: "u", headers: [.idempotencyKey: key]).status == 200)
  }

  @Test func withoutAKeyNothingIsRemembered() {
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u", headers: [.idempotencyKey: ""])
    #expect(shop.store.lastChange?.retryKey == nil)
    _ = keyed("k", "POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    #expect(shop.store.lastChange?.retryKey?.key.count == 8)
    #expect(shop.store.lastChange?.retryKey?.request.count == 4)
    #expect(shop.store.lastChange?.requestID == "r-1")
  }
}
