import Testing

extension EndToEnd {
  /// The client's own keys on a line, and the server's beside them.
  @Suite struct ExtraData {
    let products = Result { try SharedProducts.get() }

    @Test func keysOfAllKindsComeBackAsSent() throws {
      let products = try products.get()
      let data: JSON = [
        "gift": true, "note": "Für Zoë \u{1F381} \"quoted\" \\ / \u{2028}",
        "nested": ["a": [1, 2, ["b": nil]], "c": [:]],
        "large": 9_007_199_254_740_993, "negative": -5, "ratio": 1.5, "nothing": nil, "list": [], "émoji 🎁": false,
      ]
      let user = Shopper.newUser()
      #expect(try user.add(products.a, extraData: data).line(products.a)["extraData"] == data)
      #expect(try user.cart().line(products.a)["extraData"] == data)
    }

    @Test func theyStandBesideTheServersKeys() throws {
      let sku = try Catalogue.make("beside", ["stock": 9, "purchaseLimit": 8])
      let cart = try Shopper.newUser().add(sku, extraData: ["gift": true])
      #expect(cart.line(sku)["extraData"] == ["gift": true, "stock": "low", "purchaseLimit": 8])
    }

    @Test func theyAreReplacedClearedAndKept() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      func data(_ cart: JSON) -> JSON { cart.line(products.a)["extraData"] }
      #expect(data(try user.add(products.a, extraData: ["a": 1, "b": 2])) == ["a": 1, "b": 2])
      #expect(data(try user.add(products.a)) == ["a": 1, "b": 2])
      #expect(data(try user.patch(products.a, ["quantity": 5])) == ["a": 1, "b": 2])
      #expect(data(try user.add(products.a, extraData: ["c": 3])) == ["c": 3])
      let patched = try user.patch(products.a, ["extraData": ["d": 4]])
      #expect(data(patched) == ["d": 4])
      #expect(patched["version"] == 5)
      #expect(data(try user.patch(products.a, ["extraData": [:]])) == [:])
      #expect(try user.patch(products.a, ["extraData": [:]])["version"] == 6)
      try user.add(products.a, extraData: ["e": 5])
      #expect(data(try user.add(products.a, extraData: [:])) == [:])
    }

    @Test func theyGoWithTheirLine() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a, extraData: ["a": 1])
      try user.add(products.b, extraData: ["b": 1])
      try user.remove(products.a)
      #expect(try user.add(products.a).line(products.a)["extraData"] == [:])
      #expect(try user.cart().line(products.b)["extraData"] == ["b": 1])
      try user.clear()
      #expect(try user.add(products.b).line(products.b)["extraData"] == [:])
      try user.patch(products.b, ["quantity": 2, "extraData": ["x": 1]])
      try user.patch(products.b, ["delta": -2])
      #expect(try user.add(products.b).line(products.b)["extraData"] == [:])
      #expect(try user.cart()["counts"]["lines"] == 1)
    }

    @Test func eachEntryOfABulkHasItsOwn() throws {
      let products = try products.get()
      let body: JSON = [
        "lines": [["sku": "\(products.a)", "extraData": ["n": 1]], ["sku": "\(products.b)", "extraData": ["n": 2]]]
      ]
      let cart = try Shopper.newUser().send("POST", "/v1/cart/lines", body).json
      #expect(cart["lines"].elements.map(\.["extraData"]) == [["n": 1], ["n": 2]])
    }

    @Test(arguments: [
      "stock", "purchaseLimit", "customerLimit", "minimumQuantity", "quantityStep", "availableFrom", "availableUntil",
    ])
    func theServersNamesAreReserved(name: String) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      let data = JSON.object([name: 1])
      try expectProblem(
        user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)", "extraData": data]), 422, "reserved_key")
      let bulk: JSON = ["lines": [["sku": "\(products.a)"], ["sku": "\(products.a)", "extraData": data]]]
      try expectProblem(user.send("POST", "/v1/cart/lines", bulk), 422, "reserved_key")
      try expectProblem(user.send("PATCH", linePath(products.a), ["extraData": data]), 422, "reserved_key")
      #expect(try user.cart() == before)
      // Deeper down they are the client's.
      #expect(try user.patch(products.a, ["extraData": ["own": data]]).line(products.a)["extraData"] == ["own": data])
    }

    @Test func aKilobyteIsTheMost() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      // {"k":"…"} takes eight bytes around its text.
      let fits: JSON = ["k": "\(String(repeating: "x", count: 1_016))"]
      let tooLarge: JSON = ["k": "\(String(repeating: "x", count: 1_017))"]
      try user.add(products.a)
      #expect(try user.patch(products.a, ["extraData": fits]).line(products.a)["extraData"] == fits)
      try expectProblem(
        user.send("PATCH", linePath(products.a), ["extraData": tooLarge]), 422, "extra_data_too_large")
      try expectProblem(
        user.send("POST", "/v1/cart/lines", ["sku": "\(products.b)", "extraData": tooLarge]), 422,
        "extra_data_too_large")
      // Bytes of UTF-8 count, not characters; white space of the request does not.
      let wide: JSON = ["k": "\(String(repeating: "é", count: 509))"]
      try expectProblem(user.send("PATCH", linePath(products.a), ["extraData": wide]), 422, "extra_data_too_large")
      let spaced = "{\"extraData\": {" + String(repeating: " ", count: 5_000) + "\"k\" : 1 } }"
      let answer = try user.send("PATCH", linePath(products.a), bytes: Array(spaced.utf8))
      #expect(try answer.json.line(products.a)["extraData"] == ["k": 1])
    }
  }
}
