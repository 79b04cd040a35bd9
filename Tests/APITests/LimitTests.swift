import TestSupport
import Testing

/// What a shop says about how many may be bought, when, and in which currency.
@Suite struct Limits {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  private func adding(_ shopper: Shopper, _ sku: String, _ quantity: Int = 1) throws -> Answer {
    try shopper.send("POST", "/v1/cart/lines", ["sku": "\(sku)", "quantity": .int(quantity)])
  }

  @Test func thePurchaseLimitIsOfTheWholeLine() throws {
    let user = shop.newUser()
    let before = try user.add("t-limit5", 3)
    #expect(before.line("t-limit5")["extraData"]["purchaseLimit"] == 5)
    let problem = try expectProblem(
      adding(user, "t-limit5", 3), 422, "purchase_limit", pointer: "/quantity", hasCart: true)
    #expect(problem["errors"][0]["sku"] == "t-limit5")
    #expect(problem["errors"][0]["requested"] == 6)
    #expect(problem["errors"][0]["limit"] == 5)
    #expect(problem["cart"] == before)
    let patch = try user.send("PATCH", linePath("t-limit5"), ["quantity": 6])
    expectProblem(patch, 422, "purchase_limit", pointer: "/quantity", hasCart: true)
    let delta = try user.send("PATCH", linePath("t-limit5"), ["delta": 3])
    expectProblem(delta, 422, "purchase_limit", pointer: "/delta", hasCart: true)
    #expect(try user.add("t-limit5", 2).line("t-limit5")["quantity"] == 5)
  }

  @Test func theSameSKUTwiceInARequestCountsTogether() throws {
    let user = shop.newUser()
    let body = JSON.bulk([("t-a", 1), ("t-limit5", 3), ("t-limit5", 3)])
    let problem = try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "purchase_limit")
    #expect(problem["errors"][0]["requested"] == 6)
    #expect(problem["errors"][0]["pointer"].string?.wholeMatch(of: /\/lines\/[12]\/quantity/) != nil)
    #expect(try user.cart()["version"] == 0)
  }

  @Test func theCustomerLimitIsComparedWithTheCart() throws {
    let user = shop.newUser()
    let problem = try expectProblem(adding(user, "t-customer3", 4), 422, "customer_limit", hasCart: true)
    #expect(problem["errors"][0]["limit"] == 3)
    let cart = try user.add("t-customer3", 3)
    #expect(cart.line("t-customer3")["extraData"]["customerLimit"] == 3)
  }

  @Test func theMinimumHoldsForAnAddAndBecomesAProblemLater() throws {
    let sku = "t-minimum4"
    let user = shop.newUser()
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
    let sku = "t-step6"
    let user = shop.newUser()
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
    let user = shop.newUser()
    try expectProblem(adding(user, "t-inactive"), 422, "not_purchasable")
    try expectProblem(adding(user, "t-early"), 422, "not_on_sale_yet")
    try expectProblem(adding(user, "t-late"), 422, "no_longer_on_sale")
    let unknown = try expectProblem(adding(user, "t-nothing"), 422, "unknown_sku", hasCart: false)
    #expect(unknown["errors"] == [["pointer": "/sku", "code": "unknown_sku", "sku": "t-nothing"]])
    // A SKU is case-sensitive.
    try expectProblem(adding(user, "T-A"), 422, "unknown_sku")
    #expect(try user.cart()["version"] == 0)
    let line = try user.add("t-within").line("t-within")
    #expect(line["current"]["purchasable"] == true)
    #expect(line["extraData"]["availableUntil"] == "2099-06-30T10:00:00Z")
  }

  @Test func aQuantityEndsAtAMillionAlsoInSum() throws {
    let user = shop.newUser()
    let before = try user.add("t-free", 999_999)
    let problem = try expectProblem(
      adding(user, "t-free", 2), 422, "invalid_quantity", pointer: "/quantity", hasCart: true)
    #expect(problem["errors"][0]["requested"] == 1_000_001)
    try expectProblem(
      user.send("PATCH", linePath("t-free"), ["delta": 2]), 422, "invalid_quantity", pointer: "/delta")
    let body = JSON.bulk([("t-d", 600_000), ("t-d", 400_001)])
    try expectProblem(user.send("POST", "/v1/cart/lines", body), 422, "invalid_quantity")
    #expect(try user.cart() == before)
    #expect(try user.add("t-free").line("t-free")["quantity"] == 1_000_000)
  }

  // MARK: Currencies and totals

  @Test func aCartHasOneCurrency() throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    try expectProblem(adding(user, "t-euro"), 422, "currency_mismatch")
    let mixed = JSON.bulk([("t-a", 1), ("t-euro", 1)])
    try expectProblem(user.send("POST", "/v1/cart/lines", mixed), 422, "currency_mismatch")
    try expectProblem(shop.newUser().send("POST", "/v1/cart/lines", mixed), 422, "currency_mismatch")
    #expect(try user.cart() == before)
  }

  @Test func anEmptiedCartTakesTheNextCurrency() throws {
    let user = shop.newUser()
    let expected: [(String, JSON, JSON)] = [
      ("t-euro", "EUR", 2), ("t-yen", "JPY", 0), ("t-dinar", "BHD", 3), ("t-a", "GBP", 2),
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
    let user = shop.newUser()
    try user.add(Products.dear.prefix(9).map { (sku: $0, quantity: 1_000_000) })
    // 9·10¹⁵ so far; 2⁵³−1 is 9,007,199,254,740,991.
    try expectProblem(adding(user, Products.dear[9], 7_200), 422, "total_too_large", hasCart: true)
    let cart = try user.add(Products.dear[9], 7_199)
    #expect(cart["totals"]["all"] == 9_007_199_000_000_000)
    try expectProblem(user.send("PATCH", linePath(Products.dear[9]), ["delta": 1]), 422, "total_too_large")
    #expect(try user.add("t-b", 851_000)["totals"]["all"] == 9_007_199_254_449_000)
    try expectProblem(adding(user, "t-c", 292), 422, "total_too_large")
    #expect(try user.add("t-c", 291)["totals"]["all"] == 9_007_199_254_740_000)
    try expectProblem(adding(user, "t-c"), 422, "total_too_large")
  }

  @Test func aCartEndsAtTwoThousandLines() throws {
    try shop.load(Products.many.map { Products.product($0, price: 1) })
    let user = shop.newUser()
    for start in stride(from: 0, to: 1_999, by: 100) {
      let hundred = Products.many[start..<min(start + 100, 1_999)].map { (sku: $0, quantity: 1) }
      #expect(try user.send("POST", "/v1/cart/lines?view=summary", .bulk(hundred)).status == 200)
    }
    let bulk = JSON.bulk([(Products.many[1_999], 1), (Products.many[2_000], 1)])
    try expectProblem(user.send("POST", "/v1/cart/lines", bulk), 422, "too_many_lines")
    #expect(try user.add(Products.many[1_999])["counts"]["lines"] == 2_000)
    let problem = try expectProblem(adding(user, Products.many[2_000]), 422, "too_many_lines", hasCart: true)
    #expect(problem["errors"][0]["limit"] == 2_000)
    #expect(problem["cart"]["counts"]["lines"] == 2_000)
    let cart = try user.add(Products.many[0], 5)
    #expect(cart["counts"]["quantity"] == 2_005)
    #expect(cart.skus == Array(Products.many.prefix(2_000)))
    try user.remove(Products.many[7])
    #expect(try user.add(Products.many[2_000])["counts"]["lines"] == 2_000)
    #expect(try user.clear()["version"] == 25)
  }

  @Test func aRequestEndsAtAHundredLines() throws {
    let user = shop.newUser()
    let others = Products.many.prefix(101).map { (sku: $0, quantity: 1) }
    let same = Array(repeating: (sku: "t-a", quantity: 1), count: 101)
    for lines in [others, same] {
      let problem = try expectProblem(
        user.send("POST", "/v1/cart/lines", .bulk(lines)), 422, "too_many_lines", pointer: "/lines", hasCart: false)
      #expect(problem["errors"][0]["limit"] == 100)
    }
    #expect(try user.cart()["version"] == 0)
  }

  // MARK: Each rule

  /// What a shop may say of a product, and what nine of it break.
  struct Rule: Sendable, CustomTestStringConvertible {
    var code: String
    var terms: JSON
    var limit = JSON.absent
    var available = JSON.absent
    /// Whether it is about how many, and not about the product.
    var isOfQuantity = true
    var testDescription: String { code }

    static let all: [Rule] = [
      Rule(code: "out_of_stock", terms: ["stock": 0], available: 0),
      Rule(code: "insufficient_stock", terms: ["stock": 8], available: 8),
      Rule(code: "purchase_limit", terms: ["purchaseLimit": 8], limit: 8),
      Rule(code: "customer_limit", terms: ["customerLimit": 8], limit: 8),
      Rule(code: "minimum_quantity", terms: ["minimumQuantity": 10], limit: 10),
      Rule(code: "quantity_step", terms: ["quantityStep": 4], limit: 4),
      Rule(code: "not_purchasable", terms: ["active": false], isOfQuantity: false),
      Rule(code: "not_on_sale_yet", terms: ["availableFrom": "2096-10-02T07:06:40Z"], isOfQuantity: false),
      Rule(code: "no_longer_on_sale", terms: ["availableUntil": "1970-01-01T00:00:01Z"], isOfQuantity: false),
      Rule(code: "currency_mismatch", terms: ["currency": "EUR"], isOfQuantity: false),
    ]
  }

  @Test(arguments: Rule.all)
  func aBrokenRuleIsToldWithItsNumbers(rule: Rule) throws {
    let sku = try shop.make("rule", rule.terms)
    let user = shop.newUser()
    let before = try user.add("t-a")
    let entry: JSON = ["sku": "\(sku)", "quantity": 9]
    let field = rule.isOfQuantity ? "quantity" : "sku"
    for (body, pointer) in [(entry, "/\(field)"), (["lines": [["sku": "t-a"], entry]], "/lines/1/\(field)")] {
      let problem = try expectProblem(
        user.send("POST", "/v1/cart/lines", body), 422, rule.code, pointer: pointer, hasCart: rule.isOfQuantity)
      let fault = problem["errors"][0]
      #expect(fault["sku"] == "\(sku)")
      #expect(fault["requested"] == (rule.isOfQuantity ? 9 : .absent))
      #expect(fault["limit"] == rule.limit)
      #expect(fault["available"] == rule.available)
      if rule.isOfQuantity { #expect(problem["cart"] == before) }
    }
    #expect(try user.cart() == before)
  }

  @Test(arguments: Rule.all)
  func raisingIsLikeAdding(rule: Rule) throws {
    let sku = try shop.make("raised")
    let user = shop.newUser()
    let before = try user.add([("t-a", 1), (sku, 1)])
    try shop.load([rule.terms.setting("sku", "\(sku)")])
    _ = try shop.awaited(user) { $0 != before }
    for (body, pointer) in [(["quantity": 9], "/quantity"), (["delta": 8], "/delta")] as [(JSON, String)] {
      try expectProblem(
        user.send("PATCH", linePath(sku), body), 422, rule.code, pointer: pointer, hasCart: rule.isOfQuantity)
    }
    // Everything that does not raise works, whatever the product's state.
    #expect(try user.patch(sku, ["selected": false])["version"] == 2)
    #expect(try user.patch(sku, ["selected": true])["version"] == 3)
    #expect(try user.patch(sku, ["delta": -1]).skus == ["t-a"])
  }
}
