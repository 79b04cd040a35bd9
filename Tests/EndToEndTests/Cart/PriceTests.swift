import Testing

extension EndToEnd {
  /// The catalogue changes under a cart: prices, stock, retirement; and every worker sees it within a second.
  @Suite struct CatalogueChanges {
    let products = Result { try SharedProducts.get() }

    /// Waits until a change of the catalogue shows in the user's cart.
    private func awaited(_ user: Shopper, _ isThere: (JSON) -> Bool) throws -> JSON {
      try eventually(within: 1, { try user.cart() }, until: isThere)
    }

    @Test func everyWorkerSeesANewPriceWithinASecond() throws {
      let sku = try Catalogue.make("seen", price: 100)
      let users = (0..<12).map { _ in Shopper.newUser() }
      // Each worker has the old price in its cache.
      for user in users { try user.add(sku) }
      for user in users { _ = try user.cart() }
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 150]])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].cart()
      } isNew: {
        $0.line(sku)["current"]["unitPrice"] == 150
      }
      #expect(stale.isEmpty)
    }

    @Test func everyWorkerSeesANewStockWithinASecond() throws {
      let sku = try Catalogue.make("seen-stock", ["stock": 500])
      let users = (0..<12).map { _ in Shopper.newUser() }
      for user in users { try user.add(sku) }
      try Catalogue.load([["sku": "\(sku)", "stock": 0]])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].send("PATCH", linePath(sku), ["quantity": 2]).status
      } isNew: {
        $0 == 422
      }
      #expect(stale.isEmpty)
    }

    @Test func aRiseAndAFallAreMarked() throws {
      let sku = try Catalogue.make("price", price: 200)
      let user = Shopper.newUser()
      try user.add(sku, 3)
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 260]])
      let risen = try awaited(user) { $0.line(sku)["priceChange"] != .null }
      #expect(risen["version"] == 1)
      #expect(risen.line(sku)["priceChange"] == ["direction": "increase", "from": 200, "to": 260])
      #expect(risen.line(sku)["snapshot"]["unitPrice"] == 200)
      #expect(risen["totals"]["all"] == 780)
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 150]])
      let fallen = try awaited(user) { $0.line(sku)["current"]["unitPrice"] == 150 }
      #expect(fallen.line(sku)["priceChange"] == ["direction": "decrease", "from": 200, "to": 150])
    }

    @Test func acknowledgingTakesTheCurrentPrice() throws {
      let skus = try [Catalogue.make("ack", price: 200), Catalogue.make("ack", price: 300)]
      let user = Shopper.newUser()
      try user.add(skus.map { (sku: $0, quantity: 1) })
      try Catalogue.load(skus.map { ["sku": "\($0)", "unitPrice": 400, "name": "New name"] })
      _ = try awaited(user) { cart in skus.allSatisfy { cart.line($0)["priceChange"] != .null } }
      let first = try user.acknowledge(["skus": ["\(skus[1])", "\(Catalogue.prefix)absent"]])
      #expect(first["version"] == 2)
      #expect(first.line(skus[0])["priceChange"]["from"] == 200)
      #expect(first.line(skus[1])["priceChange"] == .null)
      #expect(first.line(skus[1])["snapshot"]["unitPrice"] == 400)
      let second = try user.acknowledge()
      #expect(second["version"] == 3)
      #expect(second.line(skus[0])["priceChange"] == .null)
      #expect(second.line(skus[0])["snapshot"]["unitPrice"] == 400)
      #expect(try user.acknowledge()["version"] == 3)
    }

    @Test(arguments: [["skus": "A"], ["skus": [1]], ["skus": nil], ["skus": [""]], [], ["skus": ["a/../b"]]] as [JSON])
    func acknowledgingNeedsAListOfSKUs(body: JSON) throws {
      try expectProblem(
        Shopper.newUser().send("POST", "/v1/cart/prices/acknowledge", body), 422, "invalid_field")
    }

    @Test func anAddTakesTheSnapshotAnewAndAPatchDoesNot() throws {
      let sku = try Catalogue.make("snapshot", price: 200)
      let user = Shopper.newUser()
      try user.add(sku)
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 250, "name": "Renamed", "picture": "/new.jpg"]])
      let marked = try awaited(user) { $0.line(sku)["priceChange"] != .null }
      #expect(marked.line(sku)["snapshot"]["name"] == "Name of \(sku)")
      #expect(try user.patch(sku, ["quantity": 2]).line(sku)["snapshot"]["unitPrice"] == 200)
      let cart = try user.add(sku)
      #expect(cart.line(sku)["snapshot"] == ["name": "Renamed", "picture": "/new.jpg", "unitPrice": 250])
      #expect(cart.line(sku)["priceChange"] == .null)
      #expect(cart.line(sku)["quantity"] == 3)
    }

    @Test func aRetiredProductStaysInTheCartAndIsNotPaidFor() throws {
      let products = try products.get()
      let sku = try Catalogue.make("retired", price: 200)
      let user = Shopper.newUser()
      try user.add([(sku, 3), (products.a, 1)])
      let result = try TestSystem.cartctl("catalog", "retire", sku)
      #expect(result.status == 0, "\(result.errors)")
      let cart = try awaited(user) { $0.line(sku)["current"]["purchasable"] == false }
      #expect(cart.line(sku)["snapshot"]["unitPrice"] == 200)
      #expect(cart["totals"] == ["all": 855, "selected": 255])
      #expect(cart.problemCodes == ["not_purchasable \(sku)"])
      try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "not_purchasable")
      try expectProblem(user.send("PATCH", linePath(sku), ["delta": 1]), 422, "not_purchasable")
      #expect(try user.patch(sku, ["quantity": 2]).line(sku)["quantity"] == 2)
      #expect(try user.patch(sku, ["selected": false])["problems"] == [])
      #expect(try user.patch(sku, ["selected": true])["problems"].elements.count == 1)
      #expect(try user.remove(sku).skus == [products.a])
    }

    @Test func aProductComesBackOnSale() throws {
      let sku = try Catalogue.make("back", ["active": false])
      let user = Shopper.newUser()
      try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "not_purchasable")
      try Catalogue.load([["sku": "\(sku)", "active": true]])
      let answer = try eventually(
        within: 1, { try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]) }, until: { $0.status == 200 })
      #expect(try answer.json.skus == [sku])
    }

    @Test func aSKUThatWasUnknownIsSoldWithinASecond() throws {
      let sku = Catalogue.freshSKU("new")
      let users = (0..<12).map { _ in Shopper.newUser() }
      for user in users {
        try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "unknown_sku")
      }
      try Catalogue.load([Catalogue.product(sku)])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].send("POST", "/v1/cart/lines", ["sku": "\(sku)"]).status
      } isNew: {
        $0 == 200
      }
      #expect(stale.isEmpty)
    }

    @Test func anImportLeavesWhatItDoesNotName() throws {
      let sku = try Catalogue.make("kept", price: 200, ["stock": 9, "purchaseLimit": 7, "merchantId": "m9"])
      let user = Shopper.newUser()
      try user.add(sku, 2)
      try Catalogue.load([["sku": "\(sku)", "unitPrice": 210]])
      let cart = try awaited(user) { $0.line(sku)["priceChange"] != .null }
      #expect(cart.line(sku)["current"] == ["unitPrice": 210, "purchasable": true, "availableQuantity": 9])
      #expect(cart.line(sku)["extraData"]["purchaseLimit"] == 7)
      #expect(cart.line(sku)["merchantId"] == "m9")
      // Null clears.
      try Catalogue.load([["sku": "\(sku)", "stock": nil, "purchaseLimit": nil]])
      let cleared = try awaited(user) { $0.line(sku)["current"]["availableQuantity"] == .null }
      #expect(cleared.line(sku)["extraData"] == [:])
      #expect(try user.patch(sku, ["quantity": 1_000]).line(sku)["quantity"] == 1_000)
    }

    @Test func anImportWithABadLineChangesNothingAndNamesEach() throws {
      let sku = try Catalogue.make("intact", price: 200)
      let user = Shopper.newUser()
      try user.add(sku)
      let lines = [
        #"{"sku":"\#(sku)","unitPrice":999}"#, #"{"sku":"\#(sku)-2","name":"x","unitPrice":-1,"currency":"GBP"}"#,
        #"{"sku":"\#(sku)-3"}"#, "not json",
      ]
      let result = try Catalogue.importText(lines.joined(separator: "\n") + "\n", suffix: ".ndjson")
      #expect(result.status != 0)
      let said = result.output + result.errors
      for number in 2...4 { #expect(said.contains(try Regex("\\b\(number)\\b")), "\(said)") }
      // Had the good line been taken over, a second later every worker would show it.
      let changed = try staleAnswers(after: 1) { _ in
        try user.cart()
      } isNew: {
        $0.line(sku)["current"]["unitPrice"] == 200
      }
      #expect(changed.isEmpty)
    }

    @Test func aCatalogueMayBeCSV() throws {
      let sku = Catalogue.freshSKU("csv, \"quoted\"")
      let quoted = "\"" + sku.replacing("\"", with: "\"\"") + "\""
      let text = "sku,name,unitPrice,currency,stock,purchaseLimit\r\n\(quoted),\"A, B\",120,GBP,5,\\N\r\n"
      let result = try Catalogue.importText(text, suffix: ".csv")
      #expect(result.status == 0, "\(result.errors)")
      let cart = try Shopper.newUser().add(sku, 2)
      #expect(cart.line(sku)["snapshot"]["name"] == "A, B")
      #expect(cart.line(sku)["current"]["availableQuantity"] == 5)
    }
  }
}
