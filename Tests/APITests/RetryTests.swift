import TestSupport
import Testing

/// `Idempotency-Key`: a repeated change has one effect.
@Suite struct Retries {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  private func keyed(
    _ shopper: Shopper, _ key: String, _ method: String, _ target: String, _ body: JSON? = nil
  ) throws -> Answer {
    try shopper.send(method, target, body, headers: ["Idempotency-Key": key])
  }

  @Test func aReplayHasNoSecondEffect() throws {
    let user = shop.newUser()
    let body: JSON = ["sku": "t-a", "quantity": 2]
    let first = try keyed(user, "k1", "POST", "/v1/cart/lines", body)
    #expect(first.status == 200)
    #expect(first["Idempotent-Replayed"] == nil)
    let second = try keyed(user, "k1", "POST", "/v1/cart/lines", body)
    #expect(second.status == 200)
    #expect(second["Idempotent-Replayed"] == "true")
    #expect(second.json == first.json)
    #expect(second["ETag"] == first["ETag"])
  }

  @Test func aReplayShowsTheCartAsItIsNow() throws {
    let user = shop.newUser()
    let body: JSON = ["sku": "t-a"]
    _ = try keyed(user, "k", "POST", "/v1/cart/lines", body)
    let now = try user.add("t-b", 3)
    #expect(try keyed(user, "k", "POST", "/v1/cart/lines", body).json == now)
    try expectProblem(keyed(user, "k", "POST", "/v1/cart/lines?view=whatever", body), 422, "invalid_field")
    let summary = try keyed(user, "k", "POST", "/v1/cart/lines?view=summary", body)
    #expect(summary["Idempotent-Replayed"] == "true")
    #expect(summary.json["version"] == 2)
    #expect(try keyed(user, "k2", "POST", "/v1/cart/lines?view=summary", body).json["version"] == 3)
  }

  @Test func everyChangeMayBeRepeated() throws {
    let sku = "t-a"
    let requests: [(method: String, target: String, body: JSON?)] = [
      ("POST", "/v1/cart/lines", .bulk([(sku, 2), ("t-b", 1)])), ("PATCH", linePath(sku), ["delta": 1]),
      ("DELETE", linePath(sku), nil), ("DELETE", "/v1/cart/lines?merchantId=m1", nil), ("DELETE", "/v1/cart", nil),
      ("PUT", "/v1/cart/selection", ["selected": false, "all": true]),
    ]
    for (method, target, body) in requests {
      let user = shop.newUser()
      try user.add(sku, 5)
      let first = try keyed(user, "same", method, target, body)
      #expect(first.status == 200)
      #expect(first.json["version"] == 2, "\(method) \(target)")
      // What the shopper did since must not be done again, nor undone.
      let now = try user.add([(sku, 7), ("t-c", 1)])
      let second = try keyed(user, "same", method, target, body)
      #expect(second["Idempotent-Replayed"] == "true", "\(method) \(target)")
      #expect(second.json == now, "\(method) \(target)")
    }
  }

  @Test func theKeyBelongsToItsRequest() throws {
    let user = shop.newUser()
    let before = try keyed(user, "mine", "POST", "/v1/cart/lines", ["sku": "t-a"]).json
    let others: [(method: String, target: String, body: JSON?)] = [
      ("POST", "/v1/cart/lines", ["sku": "t-a", "quantity": 2]),
      ("POST", "/v1/cart/lines", ["sku": "t-b"]), ("PATCH", linePath("t-a"), ["quantity": 2]),
      ("DELETE", "/v1/cart", nil), ("PUT", "/v1/cart/selection", ["selected": false, "all": true]),
      ("DELETE", linePath("t-a"), nil), ("DELETE", "/v1/cart/lines?merchantId=m1", nil),
      ("DELETE", "/v1/cart/lines?sku=t-a", nil),
    ]
    for (method, target, body) in others {
      try expectProblem(keyed(user, "mine", method, target, body), 422, "idempotency_key_reused", hasCart: false)
    }
    // Another spelling of it is another request.
    let spaced = try user.send(
      "POST", "/v1/cart/lines", text: #"{"sku":"t-a" }"#, headers: ["Idempotency-Key": "mine"])
    expectProblem(spaced, 422, "idempotency_key_reused")
    #expect(try user.cart() == before)
    // Another shopper's key is another key.
    let stranger = try keyed(shop.newUser(), "mine", "POST", "/v1/cart/lines", ["sku": "t-b"])
    #expect(stranger.status == 200)
    #expect(stranger["Idempotent-Replayed"] == nil)
  }

  @Test func fifteenOtherChangesLaterAReplayIsStillOne() throws {
    let user = shop.newUser()
    let body: JSON = ["sku": "t-a"]
    _ = try keyed(user, "first", "POST", "/v1/cart/lines", body)
    for number in 1...15 { _ = try keyed(user, "k\(number)", "POST", "/v1/cart/lines", ["sku": "t-b"]) }
    // Changes without a key, and refused ones, push nothing out.
    for _ in 0..<20 { try user.add("t-c") }
    for number in 1...20 {
      try expectProblem(
        keyed(user, "r\(number)", "PATCH", linePath("t-d"), ["quantity": 1]), 404, "line_not_found")
    }
    let replay = try keyed(user, "first", "POST", "/v1/cart/lines", body)
    #expect(replay["Idempotent-Replayed"] == "true")
    #expect(replay.json.line("t-a")["quantity"] == 1)
  }

  @Test func aRefusalIsNotRemembered() throws {
    let sku = try shop.make("refused", ["purchaseLimit": 2])
    let user = shop.newUser()
    let add = { (quantity: Int) in
      try self.keyed(user, "k", "POST", "/v1/cart/lines", ["sku": "\(sku)", "quantity": .int(quantity)])
    }
    try expectProblem(add(3), 422, "purchase_limit")
    let corrected = try add(2)
    #expect(corrected.status == 200)
    #expect(corrected["Idempotent-Replayed"] == nil)
    try expectProblem(add(3), 422, "idempotency_key_reused")
    let stale = try user.send(
      "DELETE", "/v1/cart", headers: ["Idempotency-Key": "k9", "If-Match": "\"9-x\""])
    expectProblem(stale, 412, "version_mismatch")
    #expect(try keyed(user, "k9", "DELETE", linePath(sku)).json.skus == [])
  }

  @Test func aGuestsRetryIsKnownByTheCookie() throws {
    let guest = shop.newGuest()
    let body: JSON = ["sku": "t-a"]
    _ = try keyed(guest, "g", "POST", "/v1/cart/lines", body)
    let replay = try keyed(guest, "g", "POST", "/v1/cart/lines", body)
    #expect(replay["Idempotent-Replayed"] == "true")
    #expect(replay.json.line("t-a")["quantity"] == 1)
  }

  @Test func theSameBodyUnderAnotherPathIsAnotherRequest() throws {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-b", 1)])
    #expect(try keyed(user, "p", "PATCH", "/v1/cart/lines/t-a", ["delta": 1]).json["version"] == 2)
    try expectProblem(
      keyed(user, "p", "PATCH", "/v1/cart/lines/t-b", ["delta": 1]), 422, "idempotency_key_reused")
    #expect(try keyed(user, "d", "DELETE", "/v1/cart/lines?sku=t-a").json["version"] == 3)
    try expectProblem(keyed(user, "d", "DELETE", "/v1/cart/lines?sku=t-b"), 422, "idempotency_key_reused")
    #expect(try keyed(user, "d", "DELETE", "/v1/cart/lines?sku=t-a")["Idempotent-Replayed"] == "true")
  }

  @Test func aKeyMayBeUpTo255PrintableCharacters() throws {
    let user = shop.newUser()
    let keys = ["~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", String(repeating: "k", count: 255), "two words", "\"q\""]
    for key in keys {
      let first = try keyed(user, key, "POST", "/v1/cart/lines", ["sku": "t-a"])
      #expect(first.status == 200 && first["Idempotent-Replayed"] == nil, "\(key)")
      let second = try keyed(user, key, "POST", "/v1/cart/lines", ["sku": "t-a"])
      #expect(second["Idempotent-Replayed"] == "true", "\(key)")
    }
    #expect(try user.cart().line("t-a")["quantity"] == 5)
    let prefix = String(repeating: "k", count: 254)
    #expect(try keyed(user, prefix, "POST", "/v1/cart/lines", ["sku": "t-a"])["Idempotent-Replayed"] == nil)
  }

  @Test(arguments: [String(repeating: "k", count: 256), "schlüssel", "tab\tinside", "bell\u{7}", "del\u{7F}"])
  func aMalformedKeyIsRefused(key: String) throws {
    let user = shop.newUser()
    try expectProblem(keyed(user, key, "POST", "/v1/cart/lines", ["sku": "t-a"]), 422, "invalid_field")
    // A read has no use for one.
    #expect(try keyed(user, key, "GET", "/v1/cart").json["version"] == 0)
  }
}
