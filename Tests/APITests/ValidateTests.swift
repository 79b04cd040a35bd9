import TestSupport
import Testing

/// `POST /v1/cart/validate`: the checks of an order, without one.
@Suite struct Validation {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  private func validate(_ shopper: Shopper, _ body: JSON? = nil) throws -> JSON {
    let answer = try shopper.send("POST", "/v1/cart/validate", body)
    #expect(answer.status == 200)
    #expect(answer["Cache-Control"] == "no-store")
    #expect(answer["Set-Cookie"] == nil)
    let found = answer.json
    #expect(found.keys == ["ok", "problems", "total"])
    return found
  }

  @Test func whatIsSelectedIsInOrder() throws {
    let user = shop.newUser()
    let cart = try user.add([("t-a", 2), ("t-b", 1)])
    #expect(try validate(user) == ["ok": true, "problems": [], "total": 809])
    #expect(try validate(user, [:]) == ["ok": true, "problems": [], "total": 809])
    try user.select(["selected": false, "skus": ["t-a"]])
    #expect(try validate(user)["total"] == 299)
    #expect(try user.cart()["lines"].elements.count == cart["lines"].elements.count)
    #expect(try user.cart()["version"] == 2)
  }

  @Test func nothingSelectedIsAProblemWithoutASKU() throws {
    let empty: JSON = ["ok": false, "problems": [["code": "cart_empty"]], "total": 0]
    #expect(try validate(shop.newGuest()) == empty)
    let user = shop.newUser()
    #expect(try validate(user) == empty)
    try user.add("t-a")
    try user.select(["selected": false, "all": true])
    #expect(try validate(user) == empty)
    #expect(try user.cart()["problems"] == [])
  }

  @Test func theExactStockCounts() throws {
    let sku = try shop.make("exact", ["stock": 10])
    let user = shop.newUser()
    try user.add(sku, 10)
    #expect(try validate(user)["ok"] == true)
    try shop.load([["sku": "\(sku)", "stock": 4]])
    // At once: no worker's memory is asked.
    let found = try validate(user)
    #expect(found["ok"] == false)
    let problems: JSON = [["code": "insufficient_stock", "sku": "\(sku)", "requested": 10, "available": 4]]
    #expect(found["problems"] == problems)
    #expect(found["total"] == 2_500)
    #expect(try shop.awaited(user) { $0["problems"] != [] }["problems"] == problems)
  }

  @Test func everyProblemIsNamed() throws {
    let retired = try shop.make("gone")
    let user = shop.newUser()
    try user.add([("t-minimum4", 4), ("t-step6", 6), (retired, 1), ("t-a", 1)])
    try user.patch("t-minimum4", ["quantity": 1])
    try user.patch("t-step6", ["quantity": 5])
    try shop.retire(retired)
    let found = try validate(user)
    let codes = found["problems"].elements.map { "\($0["code"].string ?? "") \($0["sku"].string ?? "")" }
    #expect(
      codes == [
        "minimum_quantity t-minimum4", "quantity_step t-step6", "not_purchasable \(retired)",
      ])
    #expect(found["ok"] == false)
  }

  @Test func aBodyIsNothingOrAnEmptyObject() throws {
    let user = shop.newUser()
    try expectProblem(user.send("POST", "/v1/cart/validate", ["all": true]), 422, "unknown_field", pointer: "/all")
    try expectProblem(user.send("POST", "/v1/cart/validate", []), 422, "invalid_field")
    for text in ["{", " "] {
      try expectProblem(user.send("POST", "/v1/cart/validate", text: text), 400, "malformed_json")
    }
    let plain: KeyValuePairs = ["Content-Type": "text/plain"]
    #expect(try user.send("POST", "/v1/cart/validate", headers: plain).status == 200)
    try expectProblem(user.send("POST", "/v1/cart/validate", [:], headers: plain), 415, "not_json")
    try expectProblem(user.send("GET", "/v1/cart/validate"), 405, "method_not_allowed")
  }
}
