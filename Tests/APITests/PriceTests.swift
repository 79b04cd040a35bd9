import TestSupport
import Testing

/// The catalogue changes under a cart: prices, currency, retirement.
@Suite struct CatalogueChanges {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func aRiseAndAFallAreMarked() throws {
    let sku = try shop.make("price", price: 200)
    let user = shop.newUser()
    try user.add(sku, 3)
    try shop.load([["sku": "\(sku)", "unitPrice": 260]])
    let risen = try shop.awaited(user) { $0.line(sku)["priceChange"] != .null }
    #expect(risen["version"] == 1)
    #expect(risen.line(sku)["priceChange"] == ["direction": "increase", "from": 200, "to": 260])
    #expect(risen.line(sku)["snapshot"]["unitPrice"] == 200)
    #expect(risen["totals"]["all"] == 780)
    try shop.load([["sku": "\(sku)", "unitPrice": 150]])
    let fallen = try shop.awaited(user) { $0.line(sku)["current"]["unitPrice"] == 150 }
    #expect(fallen.line(sku)["priceChange"] == ["direction": "decrease", "from": 200, "to": 150])
  }

  @Test func acknowledgingTakesTheCurrentPrice() throws {
    let skus = try [shop.make("ack", price: 200), shop.make("ack", price: 300)]
    let user = shop.newUser()
    try user.add(skus.map { (sku: $0, quantity: 1) })
    try shop.load(skus.map { ["sku": "\($0)", "unitPrice": 400, "name": "New name"] })
    _ = try shop.awaited(user) { cart in skus.allSatisfy { cart.line($0)["priceChange"] != .null } }
    let first = try user.acknowledge(["skus": ["\(skus[1])", "t-absent"]])
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

  @Test(arguments: [
    (#"{"skus":"A"}"#, "invalid_field", "/skus"), (#"{"skus":[1]}"#, "invalid_field", "/skus/0"),
    (#"{"skus":null}"#, "invalid_field", "/skus"), (#"{"skus":[""]}"#, "invalid_field", "/skus/0"),
    ("[]", "invalid_field", ""), (#"{"skus":["a/../b"]}"#, "invalid_field", "/skus/0"),
    (#"{"all":true}"#, "unknown_field", "/all"),
  ])
  func acknowledgingNeedsAListOfSKUs(body: String, code: String, pointer: String) throws {
    try expectProblem(
      shop.newUser().send("POST", "/v1/cart/prices/acknowledge", text: body), 422, code, pointer: pointer)
  }

  @Test func anAddTakesTheSnapshotAnewAndAPatchDoesNot() throws {
    let sku = try shop.make("snapshot", price: 200)
    let user = shop.newUser()
    try user.add(sku)
    try shop.load([["sku": "\(sku)", "unitPrice": 250, "name": "Renamed", "picture": "/new.jpg"]])
    let marked = try shop.awaited(user) { $0.line(sku)["priceChange"] != .null }
    #expect(marked.line(sku)["snapshot"]["name"] == "Name of \(sku)")
    #expect(try user.patch(sku, ["quantity": 2]).line(sku)["snapshot"]["unitPrice"] == 200)
    let cart = try user.add(sku)
    #expect(cart.line(sku)["snapshot"] == ["name": "Renamed", "picture": "/new.jpg", "unitPrice": 250])
    #expect(cart.line(sku)["priceChange"] == .null)
    #expect(cart.line(sku)["quantity"] == 3)
  }

  @Test func aRetiredProductStaysInTheCartAndIsNotPaidFor() throws {
    let sku = try shop.make("retired", price: 200)
    let user = shop.newUser()
    try user.add([(sku, 3), ("t-a", 1)])
    try shop.retire(sku)
    let cart = try shop.awaited(user) { $0.line(sku)["current"]["purchasable"] == false }
    #expect(cart.line(sku)["snapshot"]["unitPrice"] == 200)
    #expect(cart["totals"] == ["all": 855, "selected": 255])
    #expect(cart.problemCodes == ["not_purchasable \(sku)"])
    try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "not_purchasable")
    try expectProblem(user.send("PATCH", linePath(sku), ["delta": 1]), 422, "not_purchasable")
    #expect(try user.patch(sku, ["quantity": 2]).line(sku)["quantity"] == 2)
    #expect(try user.patch(sku, ["selected": false])["problems"] == [])
    #expect(try user.patch(sku, ["selected": true])["problems"].elements.count == 1)
    #expect(try user.remove(sku).skus == ["t-a"])
  }

  @Test func aProductComesBackOnSale() throws {
    let sku = try shop.make("back", ["active": false])
    let user = shop.newUser()
    try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "not_purchasable")
    try shop.load([["sku": "\(sku)", "active": true]])
    let answer = try eventually(
      within: 1, { try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]) }, until: { $0.status == 200 })
    #expect(answer.json.skus == [sku])
  }

  @Test func aProductOfAnotherCurrencyHasNoCurrentPrice() throws {
    let sku = try shop.make("foreign", price: 255)
    let user = shop.newUser()
    try user.add([(sku, 1), ("t-b", 1)])
    try shop.load([["sku": "\(sku)", "currency": "EUR", "unitPrice": 9]])
    let cart = try shop.awaited(user) { $0["problems"] != [] }
    #expect(cart.line(sku)["current"] == .null)
    #expect(cart.line(sku)["lineTotal"] == 255)
    #expect(cart["totals"] == ["all": 554, "selected": 299])
    #expect(cart["problems"] == [["code": "currency_mismatch", "sku": "\(sku)"]])
  }
}
