import CartAPI
import CartDomain
import Testing

/// Broken rules: their codes, numbers and places, and when the cart is shown with them.
@Suite struct BrokenRules {
  struct Rule: Sendable, CustomTestStringConvertible {
    var code: String
    var quantity = 9
    var field = "quantity"
    var stock: Int?
    var limit: JSON = .absent
    var available: JSON = .absent
    var hasCart = true
    var change: @Sendable (inout ProductRevision.Content) -> Void = { _ in }
    var testDescription: String { code }
  }

  static let rules: [Rule] = [
    Rule(code: "out_of_stock", stock: 0, available: 0), Rule(code: "insufficient_stock", stock: 8, available: 8),
    Rule(code: "purchase_limit", limit: 8) { $0.purchaseLimit = 8 },
    Rule(code: "customer_limit", limit: 8) { $0.customerLimit = 8 },
    Rule(code: "minimum_quantity", limit: 10) { $0.minimumQuantity = 10 },
    Rule(code: "quantity_step", limit: 4) { $0.quantityStep = 4 },
    Rule(code: "not_purchasable", field: "sku", hasCart: false) { $0.isActive = false },
    Rule(code: "not_on_sale_yet", field: "sku", hasCart: false) {
      $0.availableFrom = Timestamp(seconds: 4_000_000_000)
    },
    Rule(code: "no_longer_on_sale", field: "sku", hasCart: false) { $0.availableUntil = Timestamp(seconds: 1) },
    Rule(code: "currency_mismatch", field: "sku", hasCart: false) {
      $0.unitPrice = Money(minorUnits: 1, currency: Currency("EUR") ?? $0.unitPrice.currency)
    },
  ]

  @Test(arguments: rules)
  func aBrokenRuleIsToldWithItsNumbers(rule: Rule) throws {
    let shop = try Shop()
    try shop.sell("A")
    try shop.sell("B", stock: rule.stock, rule.change)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    let before = shop.send("GET", "/v1/cart", user: "u").json
    let entry = #"{"sku":"B","quantity":9}"#
    for (body, pointer) in [
      (entry, "/\(rule.field)"), (#"{"lines":[{"sku":"A"},\#(entry)]}"#, "/lines/1/\(rule.field)"),
    ] {
      let answer = shop.send("POST", "/v1/cart/lines", body, user: "u")
      expectProblem(answer, 422, rule.code, pointer: pointer, hasCart: rule.hasCart)
      let fault = answer.json["errors"][0]
      #expect(fault["sku"] == "B")
      #expect(fault["requested"] == (rule.hasCart ? 9 : .absent))
      #expect(fault["limit"] == rule.limit)
      #expect(fault["available"] == rule.available)
      if rule.hasCart { #expect(answer.json["cart"] == before) }
    }
    #expect(shop.send("GET", "/v1/cart", user: "u").json == before)
  }

  @Test(arguments: rules)
  func raisingIsLikeAdding(rule: Rule) throws {
    let shop = try Shop()
    try shop.sell("A")
    try shop.sell("B")
    shop.send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"}]}"#, user: "u")
    try shop.sell("B", stock: rule.stock, rule.change)
    for (body, pointer) in [(#"{"quantity":9}"#, "/quantity"), (#"{"delta":8}"#, "/delta")] {
      let answer = shop.send("PATCH", "/v1/cart/lines/B", body, user: "u")
      expectProblem(answer, 422, rule.code, pointer: pointer, hasCart: rule.hasCart)
    }
    // Everything that does not raise works, whatever the product's state.
    #expect(shop.send("PATCH", "/v1/cart/lines/B", #"{"selected":false}"#, user: "u").json["version"] == 2)
    #expect(shop.send("PATCH", "/v1/cart/lines/B", #"{"selected":true}"#, user: "u").json["version"] == 3)
    #expect(shop.send("PATCH", "/v1/cart/lines/B", #"{"delta":-1}"#, user: "u").skus == ["A"])
  }

  @Test func anUnknownSKU() throws {
    let answer = try Shop().send("POST", "/v1/cart/lines", #"{"sku":"a"}"#, user: "u")
    expectProblem(answer, 422, "unknown_sku", pointer: "/sku", hasCart: false)
    #expect(answer.json["errors"][0] == ["pointer": "/sku", "code": "unknown_sku", "sku": "a"])
  }

  @Test func allOrNothing() throws {
    let shop = try Shop()
    try shop.sell("A", stock: 2)
    let body = #"{"lines":[{"sku":"A","quantity":3},{"sku":"X"},{"sku":"Y"}]}"#
    let answer = shop.send("POST", "/v1/cart/lines", body)
    expectProblem(answer, 422, "insufficient_stock", hasCart: true)
    #expect(answer.codes == ["insufficient_stock", "unknown_sku", "unknown_sku"])
    #expect(answer.pointers == ["/lines/0/quantity", "/lines/1/sku", "/lines/2/sku"])
    #expect(answer.json["cart"]["version"] == 0)
    #expect(answer.json["cart"]["owner"] == "guest")
  }

  @Test func aQuantityEndsAtAMillionInSum() throws {
    let shop = try Shop()
    try shop.sell("A", price: 0)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":1000000}"#, user: "u")
    let answer = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    expectProblem(answer, 422, "invalid_quantity", pointer: "/quantity", hasCart: true)
    #expect(answer.json["errors"][0]["requested"] == 1_000_001)
    expectProblem(
      shop.send("PATCH", "/v1/cart/lines/A", #"{"delta":1}"#, user: "u"), 422, "invalid_quantity", pointer: "/delta")
  }

  @Test func aTotalEndsAtTheLastSafeInteger() throws {
    let shop = try Shop()
    for number in 0..<10 { try shop.sell("D\(number)", price: 1_000_000_000) }
    for number in 0..<9 {
      shop.send("POST", "/v1/cart/lines", #"{"sku":"D\#(number)","quantity":1000000}"#, user: "u")
    }
    expectProblem(
      shop.send("POST", "/v1/cart/lines", #"{"sku":"D9","quantity":7200}"#, user: "u"), 422, "total_too_large",
      hasCart: true)
    let answer = shop.send("POST", "/v1/cart/lines", #"{"sku":"D9","quantity":7199}"#, user: "u")
    #expect(answer.json["totals"]["all"] == 9_007_199_000_000_000)
  }

  @Test func aCartEndsAtTwoThousandLines() throws {
    let shop = try Shop()
    for number in 0...2_000 { try shop.sell("S\(number)", price: 1) }
    let entries = try (0..<2_000).map { LineAddition(sku: try #require(SKU("S\($0)")), quantity: 1) }
    let user = CartOwner.user(try #require(UserID("u")))
    _ = try shop.store.change(ChangeRequest(owner: user, change: .add(entries)))
    let answer = shop.send("POST", "/v1/cart/lines", #"{"sku":"S2000"}"#, user: "u")
    expectProblem(answer, 422, "too_many_lines", hasCart: true)
    #expect(answer.json["errors"][0]["limit"] == 2_000)
    #expect(answer.json["cart"]["counts"]["lines"] == 2_000)
  }
}
