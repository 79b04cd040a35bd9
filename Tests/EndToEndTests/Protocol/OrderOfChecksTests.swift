import Testing

extension EndToEnd {
  /// Path 404, method 405, size 413, token 401, cross-site 403, type 415, syntax 400, fields 422, retry, If-Match 412,
  /// state 409/422: a request that breaks two rules is told the first.
  @Suite struct OrderOfChecks {
    let products = Result { try SharedProducts.get() }

    typealias Header = (name: String, value: String)
    static let elsewhere: Header = ("Origin", "https://evil.example")
    static let plainText: Header = ("Content-Type", "text/plain")
    static let badUser: Header = ("Cookie", "demoUser=" + String(repeating: "x", count: 129))
    static let json: Header = ("Content-Type", "application/json")
    static let stale: Header = ("If-Match", "\"77-x\"")
    static let tooLarge = [UInt8](repeating: 0x20, count: 300_000)
    static let broken = Array("{".utf8)

    private func send(
      _ method: String, _ target: String, _ body: [UInt8]?, _ headers: [Header]
    ) throws -> HTTPResponse {
      try HTTPConnection().send(HTTPRequest(method: method, target: target, headers: headers, body: body))
    }

    @Test func thePathComesFirst() throws {
      for body in [nil, Self.broken, Self.tooLarge] {
        for headers in [[Self.elsewhere, Self.plainText, Self.badUser], []] {
          try expectProblem(send("PATCH", "/v1/nothing", body, headers), 404, "not_found")
        }
      }
    }

    @Test func thenTheMethod() throws {
      for body in [Self.broken, Self.tooLarge] {
        let answer = try send("POST", "/v1/cart", body, [Self.elsewhere, Self.plainText, Self.badUser])
        try expectProblem(answer, 405, "method_not_allowed")
        #expect(answer["Allow"] != nil)
      }
    }

    @Test func thenTheSize() throws {
      for headers in [[Self.elsewhere, Self.plainText, Self.badUser], [Self.json, Self.elsewhere], [Self.json]] {
        try expectProblem(send("POST", "/v1/cart/lines", Self.tooLarge, headers), 413, "body_too_large")
      }
    }

    @Test func thenTheToken() throws {
      let answer = try send("POST", "/v1/cart/lines", Self.broken, [Self.elsewhere, Self.plainText, Self.badUser])
      try expectProblem(answer, 401, "bad_token")
    }

    @Test func thenTheOrigin() throws {
      let answer = try send("POST", "/v1/cart/lines", Self.broken, [Self.elsewhere, Self.plainText])
      try expectProblem(answer, 403, "cross_site")
      try expectProblem(send("DELETE", "/v1/cart", Self.broken, [Self.elsewhere]), 403, "cross_site")
    }

    @Test func thenTheType() throws {
      try expectProblem(send("POST", "/v1/cart/lines", Self.broken, [Self.plainText]), 415, "not_json")
      try expectProblem(send("POST", "/v1/cart/lines", Self.broken, []), 415, "not_json")
    }

    @Test func thenTheSyntax() throws {
      for text in [#"{"quantity":0} x"#, #"{"surplus":1,"sku":7,"sku":7}"#, #"{"lines":[{"price":1}]"#] {
        let answer = try send("POST", "/v1/cart/lines", Array(text.utf8), [Self.json, Self.stale])
        try expectProblem(answer, 400, "malformed_json")
      }
    }

    @Test func thenTheFields() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let key: Header = ("Idempotency-Key", "k")
      let add = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [key])
      #expect(add.status == 200)
      // Neither the key, which belongs to another body, nor the stale version is looked at yet.
      for body in [["sku": "\(products.a)", "price": 1], ["sku": "\(products.a)", "quantity": 0]] as [JSON] {
        let answer = try user.send("POST", "/v1/cart/lines", body, headers: [key, Self.stale])
        #expect(answer.status == 422)
        #expect(["unknown_field", "invalid_quantity"].contains(try answer.json["code"].string ?? ""))
      }
    }

    @Test func thenTheRetry() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let headers: [Header] = [("Idempotency-Key", "k"), ("If-Match", "\"0-x\"")]
      #expect(try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: headers).status == 200)
      let replay = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: headers)
      #expect(replay.status == 200)
      #expect(replay["Idempotent-Replayed"] == "true")
      let reused = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.b)"], headers: headers)
      try expectProblem(reused, 422, "idempotency_key_reused")
    }

    @Test func aReplayIsNotRefusedByAStateThatCameLater() throws {
      let sku = try Catalogue.make("replayed", ["stock": 1])
      let user = Shopper.newUser()
      let key: Header = ("Idempotency-Key", "k")
      #expect(try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: [key]).status == 200)
      try Catalogue.load([["sku": "\(sku)", "stock": 0]])
      _ = try eventually(within: 1, { try user.cart() }, until: { $0["problems"] != [] })
      let replay = try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: [key])
      #expect(replay.status == 200)
      #expect(replay["Idempotent-Replayed"] == "true")
    }

    @Test func thenTheVersion() throws {
      let products = try products.get()
      let sku = try Catalogue.make("gone", ["stock": 0])
      let user = Shopper.newUser()
      try user.add(products.a)
      let requests: [(String, String, JSON)] = [
        ("PATCH", linePath(products.b), ["quantity": 1]), ("POST", "/v1/cart/lines", ["sku": "\(sku)"]),
        ("POST", "/v1/cart/lines", ["sku": "\(products.limit5)", "quantity": 6]),
        ("POST", "/v1/cart/lines", ["sku": "\(products.a)", "quantity": 1_000_000]),
      ]
      for (method, target, body) in requests {
        let answer = try user.send(method, target, body, headers: [Self.stale])
        try expectProblem(answer, 412, "version_mismatch", hasCart: true)
      }
    }
  }
}
