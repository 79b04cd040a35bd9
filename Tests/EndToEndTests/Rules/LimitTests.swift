import Foundation
import Testing

extension EndToEnd {
  /// What a shop says about how many may be bought, when, and in which currency.
  @Suite struct Limits {
    let products = Result { try SharedProducts.get() }

    private func adding(_ shopper: Shopper, _ sku: String, _ quantity: Int = 1) throws -> HTTPResponse {
      try shopper.send("POST", "/v1/cart/lines", ["sku": "\(sku)", "quantity": .int(quantity)])
    }

    @Test func thePurchaseLimitIsOfTheWholeLine() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.limit5, 3)
      #expect(before.line(products.limit5)["extraData"]["purchaseLimit"] == 5)
      let problem = try expectProblem(
        adding(user, products.limit5, 3), 422, "purchase_limit", pointer: "/quantity", hasCart: true)
      #expect(problem["errors"][0]["sku"] == "\(products.limit5)")
      #expect(problem["errors"][0]["requested"] == 6)
      #expect(problem["errors"][0]["limit"] == 5)
      #expect(problem["cart"] == before)
      let patch = try user.send("PATCH", linePath(products.limit5), ["quantity": 6])
      try expectProblem(patch, 422, "purchase_limit", pointer: "/quantity", hasCart: true)
      let delta = try user.send("PATCH", linePath(products.limit5), ["delta": 3])
      try expectProblem(delta, 422, "purchase_limit", pointer: "/delta", hasCart: true)
      #expect(try user.add(products.limit5, 2).line(products.limit5)["quantity"] == 5)
    }

    @Test func theSameSKUTwiceInARequestCountsTogether() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let body = JSON.bulk([(products.a, 1), (products.limit5, 3), (products.limit5, 3)])
      let problem = try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "purchase_limit")
      #expect(problem["errors"][0]["requested"] == 6)
      #expect(problem["errors"][0]["pointer"].string?.wholeMatch(of: /\/lines\/[12]\/quantity/) != nil)
      #expect(try user.cart()["version"] == 0)
    }

    @Test func theCustomerLimitIsComparedWithTheCart() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let problem = try expectProblem(adding(user, products.customer3, 4), 422, "customer_limit", hasCart: true)
      #expect(problem["errors"][0]["limit"] == 3)
      let cart = try user.add(products.customer3, 3)
      #expect(cart.line(products.customer3)["extraData"]["customerLimit"] == 3)
    }

    @Test func theMinimumHoldsForAnAddAndBecomesAProblemLater() throws {
      let products = try products.get()
      let sku = products.minimum4
      let user = Shopper.newUser()
      let problem = try expectProblem(adding(user, sku, 3), 422, "minimum_quantity", pointer: "/quantity")
      #expect(problem["errors"][0]["limit"] == 4)
      #expect(problem["errors"][0]["requested"] == 3)
      #expect(try user.add(sku, 4)["problems"] == [])
      let lowered = try user.patch(sku, ["quantity": 2])
      #expect(lowered.problemCodes == ["minimum_quantity \(sku)"])
      #expect(lowered.line(sku)["extraData"]["minimumQuantity"] == 4)
      #expect(try user.patch(sku, ["selected": false])["problems"] == [])
      try expectProblem(user.send("PATCH", linePath(sku), ["quantity": 3]), 422, "minimum_quantity")
      #expect(try user.add(sku, 2)["problems"] == [])
    }

    @Test func theStepHoldsForAnAddAndBecomesAProblemLater() throws {
      let products = try products.get()
      let sku = products.step6
      let user = Shopper.newUser()
      let problem = try expectProblem(adding(user, sku, 4), 422, "quantity_step")
      #expect(problem["errors"][0]["limit"] == 6)
      try user.add(sku, 12)
      try expectProblem(adding(user, sku, 3), 422, "quantity_step")
      let lowered = try user.patch(sku, ["delta": -1])
      #expect(lowered.problemCodes == ["quantity_step \(sku)"])
      #expect(lowered.line(sku)["extraData"]["quantityStep"] == 6)
      #expect(try user.add(sku, 1)["problems"] == [])
    }

    @Test func whatIsNotSoldCannotBeAdded() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try expectProblem(adding(user, products.inactive), 422, "not_purchasable")
      try expectProblem(adding(user, products.early), 422, "not_on_sale_yet")
      try expectProblem(adding(user, products.late), 422, "no_longer_on_sale")
      try expectProblem(adding(user, Catalogue.prefix + "nothing"), 422, "unknown_sku", pointer: "/sku")
      // A SKU is case-sensitive.
      try expectProblem(adding(user, products.a.uppercased()), 422, "unknown_sku")
      #expect(try user.cart()["version"] == 0)
      let line = try user.add(products.within).line(products.within)
      #expect(line["current"]["purchasable"] == true)
      #expect(line["extraData"]["availableUntil"] == "2099-06-30T10:00:00Z")
    }

    @Test func aSaleBeginsAndEndsByTheClock() throws {
      func stamp(_ seconds: Double) -> JSON { "\(Date(timeIntervalSinceNow: seconds).formatted(.iso8601))" }
      let sku = try Catalogue.make("window", ["availableFrom": stamp(2), "availableUntil": stamp(4)])
      let user = Shopper.newUser()
      try expectProblem(adding(user, sku), 422, "not_on_sale_yet")
      _ = try eventually(within: 3, { try adding(user, sku) }, until: { $0.status == 200 })
      let over = try eventually(within: 4, { try user.cart() }, until: { $0["problems"] != [] })
      #expect(over.problemCodes == ["no_longer_on_sale \(sku)"])
      #expect(over.line(sku)["current"]["purchasable"] == false)
      #expect(over["totals"]["selected"] == 0)
      try expectProblem(adding(user, sku), 422, "no_longer_on_sale")
    }

    @Test func aQuantityEndsAtAMillionAlsoInSum() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.free, 999_999)
      try expectProblem(adding(user, products.free, 2), 422, "invalid_quantity", pointer: "/quantity")
      try expectProblem(
        user.send("PATCH", linePath(products.free), ["delta": 2]), 422, "invalid_quantity", pointer: "/delta")
      let body = JSON.bulk([(products.d, 600_000), (products.d, 400_001)])
      try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "invalid_quantity")
      #expect(try user.cart() == before)
      #expect(try user.add(products.free).line(products.free)["quantity"] == 1_000_000)
    }

    // MARK: Currencies and totals

    @Test func aCartHasOneCurrency() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      try expectProblem(adding(user, products.euro), 422, "currency_mismatch")
      let mixed = JSON.bulk([(products.a, 1), (products.euro, 1)])
      try expectProblem(user.send("POST", "/v1/cart/lines", mixed), 422, "currency_mismatch")
      try expectProblem(Shopper.newUser().send("POST", "/v1/cart/lines", mixed), 422, "currency_mismatch")
      #expect(try user.cart() == before)
    }

    @Test func anEmptiedCartTakesTheNextCurrency() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let expected: [(String, JSON, JSON)] = [
        (products.euro, "EUR", 2), (products.yen, "JPY", 0), (products.dinar, "BHD", 3), (products.a, "GBP", 2),
      ]
      for (index, (sku, currency, minorUnit)) in expected.enumerated() {
        let cart = try user.add(sku)
        #expect(cart["currency"] == currency)
        #expect(cart["minorUnit"] == minorUnit)
        let emptied: JSON
        switch index % 3 {
        case 0: emptied = try user.clear()
        case 1: emptied = try user.remove(sku)
        default: emptied = try user.patch(sku, ["quantity": 0])
        }
        #expect(emptied["currency"] == .null)
        #expect(emptied["minorUnit"] == .null)
      }
    }

    @Test func aTotalEndsAtTheLastSafeInteger() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.dear.prefix(9).map { (sku: $0, quantity: 1_000_000) })
      // 9·10¹⁵ so far; 2⁵³−1 is 9,007,199,254,740,991.
      try expectProblem(adding(user, products.dear[9], 7_200), 422, "total_too_large")
      let cart = try user.add(products.dear[9], 7_199)
      #expect(cart["totals"]["all"] == 9_007_199_000_000_000)
      try expectProblem(user.send("PATCH", linePath(products.dear[9]), ["delta": 1]), 422, "total_too_large")
      #expect(try user.add(products.b, 851_000)["totals"]["all"] == 9_007_199_254_449_000)
      try expectProblem(adding(user, products.c, 292), 422, "total_too_large")
      #expect(try user.add(products.c, 291)["totals"]["all"] == 9_007_199_254_740_000)
      try expectProblem(adding(user, products.c), 422, "total_too_large")
    }

    @Test func aCartEndsAtTwoThousandLines() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      for start in stride(from: 0, to: 1_999, by: 100) {
        let hundred = products.many[start..<min(start + 100, 1_999)].map { (sku: $0, quantity: 1) }
        #expect(try user.send("POST", "/v1/cart/lines?view=summary", .bulk(hundred)).status == 200)
      }
      let bulk = JSON.bulk([(products.many[1_999], 1), (products.many[2_000], 1)])
      try expectProblem(user.send("POST", "/v1/cart/lines", bulk), 422, "too_many_lines")
      #expect(try user.add(products.many[1_999])["counts"]["lines"] == 2_000)
      try expectProblem(adding(user, products.many[2_000]), 422, "too_many_lines")
      let cart = try user.add(products.many[0], 5)
      #expect(cart["counts"]["quantity"] == 2_005)
      #expect(cart.skus == Array(products.many.prefix(2_000)))
      try user.remove(products.many[7])
      #expect(try user.add(products.many[2_000])["counts"]["lines"] == 2_000)
      #expect(try user.clear()["version"] == 25)
    }

    @Test func aRequestEndsAtAHundredLines() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let body = JSON.bulk(products.many.prefix(101).map { ($0, 1) })
      try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "too_many_lines")
      let same = JSON.bulk(Array(repeating: (products.a, 1), count: 101))
      try expectProblem(user.send("POST", "/v1/cart/lines", same), 422, "too_many_lines")
      #expect(try user.cart()["version"] == 0)
    }
  }
}
