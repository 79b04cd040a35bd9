import Testing

extension EndToEnd {
  /// `ETag`, `If-None-Match` and `If-Match`.
  @Suite struct Conditional {
    let products = Result { try SharedProducts.get() }

    @Test func anUnchangedCartIs304() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let tag = try #require(try user.send("GET", "/v1/cart")["ETag"])
      let bare = String(tag.dropFirst().dropLast())
      for value in [tag, "W/\(tag)", "\"\(bare)-gzip\"", "\"x\", \(tag)", "\"1-x\" , W/\(tag)", "*"] {
        let answer = try user.send("GET", "/v1/cart", headers: [(name: "If-None-Match", value: value)])
        #expect(answer.status == 304, "\(value)")
        #expect(answer.body == [])
        #expect(answer["ETag"] == tag)
        #expect(answer["Content-Length"] == nil)
      }
      let head = try user.send("HEAD", "/v1/cart", headers: [(name: "If-None-Match", value: tag)])
      #expect(head.status == 304)
    }

    @Test func anotherTagIsAnsweredInFull() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let tag = try #require(try user.send("GET", "/v1/cart")["ETag"])
      // The version alone is not enough: the hash counts too.
      for value in ["\"1-x\"", "\"1\"", "\"2-x\"", "\"\"", "garbage", "W/garbage"] {
        let answer = try user.send("GET", "/v1/cart", headers: [(name: "If-None-Match", value: value)])
        #expect(answer.status == 200, "\(value)")
      }
      try user.add(products.a)
      let answer = try user.send("GET", "/v1/cart", headers: [(name: "If-None-Match", value: tag)])
      #expect(answer.status == 200)
      #expect(answer["ETag"] != tag)
    }

    @Test func anEmptyCartHasATagToo() throws {
      let guest = Shopper.newGuest()
      let tag = try #require(try guest.send("GET", "/v1/cart")["ETag"])
      #expect(tag.hasPrefix("\"0-"))
      #expect(try guest.send("GET", "/v1/cart", headers: [(name: "If-None-Match", value: tag)]).status == 304)
    }

    @Test func theTagOfAChangeIsThatOfTheNextRead() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let change = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"])
      #expect(try user.send("GET", "/v1/cart")["ETag"] == change["ETag"])
    }

    @Test func theTagFollowsThePriceThoughTheVersionStays() throws {
      let sku = try Catalogue.make("tag", price: 100)
      let user = Shopper.newUser()
      try user.add(sku)
      let tag = try #require(try user.send("GET", "/v1/cart")["ETag"])
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 120]])
      let answer = try eventually(within: 1, { try user.send("GET", "/v1/cart") }, until: { $0["ETag"] != tag })
      #expect(try answer.json["version"] == 1)
      let conditional = try user.send("GET", "/v1/cart", headers: [(name: "If-None-Match", value: tag)])
      #expect(conditional.status == 200)
      // For a change the version is what matters, and it is the same.
      let change = try user.send(
        "POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: [(name: "If-Match", value: tag)])
      #expect(change.status == 200)
    }

    /// The requests that change a cart, each of which would have an effect.
    static func changes(_ sku: String) -> [(method: String, target: String, body: JSON?)] {
      [
        ("POST", "/v1/cart/lines", ["sku": "\(sku)"]), ("PATCH", linePath(sku), ["quantity": 9]),
        ("DELETE", linePath(sku), nil), ("DELETE", "/v1/cart/lines?sku=" + percentEncoded(sku), nil),
        ("DELETE", "/v1/cart", nil), ("PUT", "/v1/cart/selection", ["selected": false, "all": true]),
        ("POST", "/v1/cart/prices/acknowledge", [:]),
      ]
    }

    @Test func aStaleVersionIsRefusedByEveryChange() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let before = try user.add(products.a)
      for change in Self.changes(products.a) {
        for value in ["\"1-x\"", "W/\"3-abc\"", "\"0-x\"", "\"1-x\", \"3-y\"", "\"2000000000000000000000-x\""] {
          let answer = try user.send(
            change.method, change.target, change.body, headers: [(name: "If-Match", value: value)])
          let problem = try expectProblem(answer, 412, "version_mismatch", hasCart: true)
          #expect(problem["cart"] == before, "\(change.target) \(value)")
        }
      }
      #expect(try user.cart() == before)
    }

    @Test func theCurrentVersionIsAccepted() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      var version = try #require(try user.add(products.a)["version"].int)
      for form in ["\"%-anything\"", "W/\"%-x\"", "\"%-x-gzip\"", "\"99-x\", \"%-x\"", "*"] {
        let value = form.replacing("%", with: String(version))
        let answer = try user.send(
          "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "If-Match", value: value)])
        #expect(answer.status == 200, "\(value)")
        version += 1
        #expect(try answer.json["version"] == .int(version))
      }
    }

    @Test func aWildcardNeedsACartThatWasWritten() throws {
      let products = try products.get()
      for shopper in [Shopper.newGuest(), Shopper.newUser()] {
        let answer = try shopper.send(
          "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "If-Match", value: "*")])
        let problem = try expectProblem(answer, 412, "version_mismatch", hasCart: true)
        #expect(problem["cart"]["version"] == 0)
        let first = try shopper.send(
          "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "If-Match", value: "\"0-x\"")])
        #expect(first.status == 200)
        // Emptied is not unwritten.
        try shopper.clear()
        let again = try shopper.send(
          "POST", "/v1/cart/lines", ["sku": "\(products.a)"], headers: [(name: "If-Match", value: "*")])
        #expect(again.status == 200)
      }
    }

    @Test func aConditionThatCannotBeReadIsNotIgnored() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      for value in ["garbage", "\"\"", "\"abc\"", "1", "\"-1-x\"", "\"1"] {
        let answer = try user.send("DELETE", "/v1/cart", headers: [(name: "If-Match", value: value)])
        #expect((400..<500).contains(answer.status), "\(value)")
      }
      #expect(try user.cart().skus == [products.a])
    }

    @Test func twoClientsWithOneVersionDoNotBothWin() throws {
      let products = try products.get()
      let phone = Shopper.newUser()
      let laptop = Shopper(user: phone.user)
      let tag = try #require(try phone.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"])["ETag"])
      let condition = [(name: "If-Match", value: tag)]
      #expect(try phone.send("PATCH", linePath(products.a), ["quantity": 5], headers: condition).status == 200)
      let second = try laptop.send("PATCH", linePath(products.a), ["quantity": 7], headers: condition)
      try expectProblem(second, 412, "version_mismatch", hasCart: true)
      #expect(try laptop.cart().line(products.a)["quantity"] == 5)
    }
  }
}
