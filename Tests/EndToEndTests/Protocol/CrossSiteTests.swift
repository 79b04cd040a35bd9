import Testing

extension EndToEnd {
  /// A change that another site's page asks the browser for is refused.
  @Suite struct CrossSite {
    let products = Result { try SharedProducts.get() }

    private func add(_ headers: [(name: String, value: String)]) throws -> HTTPResponse {
      try Shopper.newUser().send("POST", "/v1/cart/lines", ["sku": "\(products.get().a)"], headers: headers)
    }

    @Test func ownPagesAndAppsMayChange() throws {
      let host = "127.0.0.1:\(TestSystem.port)"
      let allowed: [[(name: String, value: String)]] = [
        [], [("Origin", "http://\(host)")], [("Sec-Fetch-Site", "same-origin")], [("Sec-Fetch-Site", "none")],
        [("Sec-Fetch-Site", "same-site")], [("Origin", "http://\(host)"), ("Sec-Fetch-Site", "cross-site")],
        [("Host", "shop.example"), ("Origin", "http://shop.example")],
        [("Host", "shop.example:8443"), ("Origin", "http://shop.example:8443")],
      ]
      for headers in allowed { #expect(try add(headers).status == 200, "\(headers)") }
    }

    @Test func othersMayNot() throws {
      let host = "127.0.0.1:\(TestSystem.port)"
      let refused: [[(name: String, value: String)]] = [
        [("Origin", "https://evil.example")], [("Origin", "null")], [("Origin", "https://\(host)")],
        [("Origin", "http://127.0.0.1")], [("Origin", "http://127.0.0.1:1")],
        [("Origin", "http://\(host).evil.example")],
        [("Origin", "http://evil.example/\(host)")], [("Origin", "http://\(host)@evil.example")],
        [("Origin", host)], [("Sec-Fetch-Site", "cross-site")],
        [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
        [("Origin", "null"), ("Sec-Fetch-Site", "same-origin")], [("Origin", "http://\(host) https://evil.example")],
      ]
      for headers in refused { try expectProblem(add(headers), 403, "cross_site") }
    }

    @Test func everyChangeIsGuarded() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      for change in Conditional.changes(products.a) {
        let answer = try user.send(
          change.method, change.target, change.body, headers: [(name: "Origin", value: "https://evil.example")])
        try expectProblem(answer, 403, "cross_site")
      }
      #expect(try user.cart() == before)
    }

    @Test func readsAreNotChangesYetShareNothing() throws {
      for method in ["GET", "HEAD", "OPTIONS"] {
        let answer = try Shopper.newGuest().send(
          method, "/v1/cart",
          headers: [
            (name: "Origin", value: "https://evil.example"), (name: "Sec-Fetch-Site", value: "cross-site"),
            (name: "Access-Control-Request-Method", value: "DELETE"),
          ])
        #expect([200, 204].contains(answer.status))
        for header in answer.headers { #expect(!header.name.lowercased().hasPrefix("access-control-")) }
      }
    }
  }
}
