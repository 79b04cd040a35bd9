import CartAPI
import CartDomain
import TestSupport
import Testing

/// What the store and the catalogue are asked, how often, and what becomes of their failures.
@Suite struct Stores {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A")
  }

  private static let add = #"{"sku":"A"}"#

  // MARK: How often

  @Test func aStrangerAsksNobody() {
    let requests: [(String, String, String?)] = [
      ("GET", "/v1/cart", nil), ("HEAD", "/v1/cart", nil), ("DELETE", "/v1/cart", nil),
      ("DELETE", "/v1/cart/lines/A", nil), ("DELETE", "/v1/cart/lines?selected=true", nil),
      ("PUT", "/v1/cart/selection", #"{"selected":true,"all":true}"#), ("POST", "/v1/cart/prices/acknowledge", "{}"),
      ("POST", "/v1/cart/validate", nil), ("PATCH", "/v1/cart/lines/A", #"{"delta":1}"#),
    ]
    for (method, target, body) in requests { shop.send(method, target, body) }
    for body in [#"{"expectedTotal":1}"#, #"{"expectedTotal":1,"skus":["A"]}"#] {
      shop.send("POST", "/v1/orders", body, headers: [.idempotencyKey: "k"])
    }
    shop.send("GET", "/v1/orders/0123456789abcdef")
    shop.send("GET", "/v1/cart", user: "\0")
    #expect(shop.store.calls == 0)
    #expect(shop.catalogue.calls == 0)
  }

  @Test func whatIsRefusedBeforeItAsksNobody() {
    for (headers, status) in [
      ([.origin: "https://evil.example"], 403), ([.idempotencyKey: String(repeating: "k", count: 256)], 422),
      ([.idempotencyKey: "\u{0}"], 422), ([.contentType: "text/plain"], 415),
    ] as [(Shop.Headers, Int)] {
      #expect(shop.send("POST", "/v1/cart/lines", Self.add, user: "u", headers: headers).status == status)
    }
    for id in [String(repeating: "x", count: 129), "a\u{1}b", "\0"] {
      #expect(shop.send("POST", "/v1/cart/lines", Self.add, user: id).status == 401)
    }
    #expect(shop.store.calls == 0)
  }

  @Test func theExactStockIsAskedOnceAndOnlyForWhatIsSelected() {
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u")
    shop.send("POST", "/v1/cart/validate", user: "u")
    #expect(shop.catalogue.exactCalls == 1)
    shop.send("PUT", "/v1/cart/selection", #"{"selected":false,"all":true}"#, user: "u")
    shop.send("POST", "/v1/cart/validate", user: "u")
    #expect(shop.catalogue.exactCalls == 1)
  }

  @Test func whatIsNamedTwiceIsAskedOnce() {
    shop.send("PUT", "/v1/cart/selection", #"{"selected":true,"skus":["B","absent","B"]}"#, user: "u")
    let filter = LineFilter.skus(["B", "absent"].compactMap(SKU.init))
    #expect(shop.store.lastChange?.change == .select(true, filter))
  }

  @Test func withoutAKeyNothingIsRemembered() {
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u", headers: [.idempotencyKey: ""])
    #expect(shop.store.lastChange?.retryKey == nil)
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u", headers: [.idempotencyKey: " "])
    #expect(shop.store.lastChange?.retryKey?.key.count == 8)
    #expect(shop.store.lastChange?.retryKey?.request.count == 4)
    #expect(shop.store.lastChange?.requestID == "r-1")
  }

  @Test func healthAsksNobody() {
    shop.store.isAway = true
    shop.catalogue.isAway = true
    let answer = shop.send("GET", "/ops/health", user: "\u{1}")
    #expect(answer.status == 200)
    #expect(answer.text == #"{"status":"ok"}"#)
    #expect(shop.store.calls == 0)
  }

  // MARK: Failures

  @Test func aCartThatWasChangedTooMuchSaysWhenToComeAgain() {
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u")
    shop.store.outcome = .limited(seconds: 17)
    let answer = shop.send("PUT", "/v1/cart/selection", #"{"selected":true,"all":true}"#, user: "u")
    expectProblem(answer, 429, "rate_limited", hasCart: false)
    #expect(answer["Retry-After"] == "17")
  }

  @Test func aStoreThatIsAwayIs503() {
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u")
    for isStore in [true, false] {
      shop.store.isAway = isStore
      shop.catalogue.isAway = !isStore
      for (method, target, body) in [
        ("GET", "/v1/cart", nil), ("POST", "/v1/cart/lines", Self.add), ("POST", "/v1/cart/validate", nil),
      ] as [(String, String, String?)] {
        let answer = shop.send(method, target, body, user: "u")
        expectProblem(answer, 503, "store_unavailable", hasCart: false)
        #expect(answer["Retry-After"] == "1")
        #expect(answer.note == "unavailable: away for the test")
        #expect(!answer.text.contains("away"))
      }
      let guest = shop.send("POST", "/v1/cart/lines", Self.add)
      #expect(guest.status == 503)
      #expect(guest["Set-Cookie"] == nil)
      #expect(shop.send("GET", "/v1/cart").status == 200)
    }
  }

  @Test func whatOthersAreAtWorkOnIs503AndOverloaded() {
    shop.store.isCrowded = true
    let answer = shop.send("GET", "/v1/cart", user: "u")
    expectProblem(answer, 503, "overloaded", hasCart: false)
    #expect(answer["Retry-After"] == "1")
    #expect(answer.note == nil)
  }

  @Test func aProductThatIsGoneShowsItsSnapshot() throws {
    shop.send("POST", "/v1/cart/lines", Self.add, user: "u")
    shop.catalogue.inner.remove(try #require(SKU("A")))
    let line = shop.send("GET", "/v1/cart", user: "u").line("A")
    #expect(line["current"] == .null)
    #expect(line["priceChange"] == .null)
    #expect(line["snapshot"] == ["name": "Name of A", "picture": nil, "unitPrice": 100])
    #expect(line["extraData"] == [:])
    #expect(line["lineTotal"] == 100)
  }
}
