import Foundation
import Testing

extension EndToEnd {
  /// `Idempotency-Key`: a repeated change has one effect.
  @Suite struct Retries {
    let products = Result { try SharedProducts.get() }

    private func keyed(
      _ shopper: Shopper, _ key: String, _ method: String, _ target: String, _ body: JSON? = nil
    ) throws -> HTTPResponse {
      try shopper.send(method, target, body, headers: [(name: "Idempotency-Key", value: key)])
    }

    @Test func aReplayHasNoSecondEffect() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let body: JSON = ["sku": "\(products.a)", "quantity": 2]
      let first = try keyed(user, "k1", "POST", "/v1/cart/lines", body)
      #expect(first.status == 200)
      #expect(first["Idempotent-Replayed"] == nil)
      let second = try keyed(user, "k1", "POST", "/v1/cart/lines", body)
      #expect(second.status == 200)
      #expect(second["Idempotent-Replayed"] == "true")
      #expect(try second.json == first.json)
      #expect(second["ETag"] == first["ETag"])
    }

    @Test func aReplayShowsTheCartAsItIsNow() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let body: JSON = ["sku": "\(products.a)"]
      _ = try keyed(user, "k", "POST", "/v1/cart/lines", body)
      let now = try user.add(products.b, 3)
      #expect(try keyed(user, "k", "POST", "/v1/cart/lines", body).json == now)
      let summary = try keyed(user, "k2", "POST", "/v1/cart/lines?view=summary", body)
      #expect(try summary.json["version"] == 3)
    }

    @Test func everyChangeMayBeRepeated() throws {
      let products = try products.get()
      let sku = products.a
      let requests: [(method: String, target: String, body: JSON?)] = [
        ("POST", "/v1/cart/lines", .bulk([(sku, 2), (products.b, 1)])), ("PATCH", linePath(sku), ["delta": 1]),
        ("DELETE", linePath(sku), nil), ("DELETE", "/v1/cart/lines?merchantId=m1", nil), ("DELETE", "/v1/cart", nil),
        ("PUT", "/v1/cart/selection", ["selected": false, "all": true]),
      ]
      for (method, target, body) in requests {
        let user = Shopper.newUser()
        try user.add(sku, 5)
        let first = try keyed(user, "same", method, target, body)
        #expect(first.status == 200)
        #expect(try first.json["version"] == 2, "\(method) \(target)")
        // What the shopper did since must not be done again, nor undone.
        let now = try user.add([(sku, 7), (products.c, 1)])
        let second = try keyed(user, "same", method, target, body)
        #expect(second["Idempotent-Replayed"] == "true", "\(method) \(target)")
        #expect(try second.json == now, "\(method) \(target)")
      }
    }

    @Test func theKeyBelongsToItsRequest() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try keyed(user, "mine", "POST", "/v1/cart/lines", ["sku": "\(products.a)"]).json
      let others: [(method: String, target: String, body: JSON?)] = [
        ("POST", "/v1/cart/lines", ["sku": "\(products.a)", "quantity": 2]),
        ("POST", "/v1/cart/lines", ["sku": "\(products.b)"]), ("PATCH", linePath(products.a), ["quantity": 2]),
        ("DELETE", "/v1/cart", nil), ("PUT", "/v1/cart/selection", ["selected": false, "all": true]),
        ("DELETE", linePath(products.a), nil), ("DELETE", "/v1/cart/lines?merchantId=m1", nil),
      ]
      for (method, target, body) in others {
        try expectProblem(keyed(user, "mine", method, target, body), 422, "idempotency_key_reused")
      }
      #expect(try user.cart() == before)
      // Another shopper's key is another key.
      let stranger = try keyed(Shopper.newUser(), "mine", "POST", "/v1/cart/lines", ["sku": "\(products.b)"])
      #expect(stranger.status == 200)
      #expect(stranger["Idempotent-Replayed"] == nil)
    }

    @Test func fifteenOtherChangesLaterAReplayIsStillOne() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let body: JSON = ["sku": "\(products.a)"]
      _ = try keyed(user, "first", "POST", "/v1/cart/lines", body)
      for number in 1...15 { _ = try keyed(user, "k\(number)", "POST", "/v1/cart/lines", ["sku": "\(products.b)"]) }
      // Changes without a key, and refused ones, push nothing out.
      for _ in 0..<20 { try user.add(products.c) }
      for number in 1...20 {
        try expectProblem(
          keyed(user, "r\(number)", "PATCH", linePath(products.d), ["quantity": 1]), 404, "line_not_found")
      }
      let replay = try keyed(user, "first", "POST", "/v1/cart/lines", body)
      #expect(replay["Idempotent-Replayed"] == "true")
      #expect(try replay.json.line(products.a)["quantity"] == 1)
    }

    @Test func aRefusalIsNotRemembered() throws {
      let sku = try Catalogue.make("refused", ["purchaseLimit": 2])
      let user = Shopper.newUser()
      let add = { (quantity: Int) in
        try self.keyed(user, "k", "POST", "/v1/cart/lines", ["sku": "\(sku)", "quantity": .int(quantity)])
      }
      try expectProblem(add(3), 422, "purchase_limit")
      let corrected = try add(2)
      #expect(corrected.status == 200)
      #expect(corrected["Idempotent-Replayed"] == nil)
      try expectProblem(add(3), 422, "idempotency_key_reused")
      let stale = try user.send(
        "DELETE", "/v1/cart", headers: [(name: "Idempotency-Key", value: "k9"), (name: "If-Match", value: "\"9-x\"")])
      try expectProblem(stale, 412, "version_mismatch")
      #expect(try keyed(user, "k9", "DELETE", linePath(sku)).json.skus == [])
    }

    @Test func repeatsAtTheSameTimeCountOnce() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let clients = (0..<8).map { _ in Shopper(user: user.user) }
      for client in clients {
        let request = HTTPRequest(
          method: "PATCH", target: linePath(products.a),
          headers: client.identity + [
            (name: "Content-Type", value: "application/json"), (name: "Idempotency-Key", value: "at-once"),
          ], body: Array(#"{"delta":10}"#.utf8))
        try client.connection.write(request.bytes(host: client.connection.host))
      }
      let answers = try clients.map { try $0.connection.readResponse() }
      #expect(answers.allSatisfy { $0.status == 200 })
      #expect(answers.filter { $0["Idempotent-Replayed"] == nil }.count == 1)
      #expect(try user.cart().line(products.a)["quantity"] == 11)
    }

    @Test func aGuestsRetryIsKnownByTheCookie() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      let body: JSON = ["sku": "\(products.a)"]
      _ = try keyed(guest, "g", "POST", "/v1/cart/lines", body)
      let replay = try keyed(guest, "g", "POST", "/v1/cart/lines", body)
      #expect(replay["Idempotent-Replayed"] == "true")
      #expect(try replay.json.line(products.a)["quantity"] == 1)
    }

    @Test func aKeyMayBeUpTo255PrintableCharacters() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let keys = ["~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", String(repeating: "k", count: 255), "two words"]
      for key in keys {
        #expect(try keyed(user, key, "POST", "/v1/cart/lines", ["sku": "\(products.a)"]).status == 200, "\(key)")
      }
      #expect(try user.cart().line(products.a)["quantity"] == 4)
      let prefix = String(repeating: "k", count: 254)
      #expect(try keyed(user, prefix, "POST", "/v1/cart/lines", ["sku": "\(products.a)"])["Idempotent-Replayed"] == nil)
    }

    @Test(arguments: [String(repeating: "k", count: 256), "schlüssel", "tab\tinside", "bell\u{7}", "del\u{7F}"])
    func aMalformedKeyIsRefused(key: String) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let answer = try keyed(user, key, "POST", "/v1/cart/lines", ["sku": "\(products.a)"])
      try expectProblem(answer, 422, "invalid_field")
      #expect(try user.cart()["version"] == 0)
    }
  }
}
