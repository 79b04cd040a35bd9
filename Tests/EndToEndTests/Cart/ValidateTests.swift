import Testing

extension EndToEnd {
  /// `POST /v1/cart/validate`: the checks of an order, without one.
  @Suite struct Validation {
    let products = Result { try SharedProducts.get() }

    private func validate(_ shopper: Shopper, _ body: JSON? = nil) throws -> JSON {
      let answer = try shopper.send("POST", "/v1/cart/validate", body)
      #expect(answer.status == 200)
      #expect(answer["Cache-Control"] == "no-store")
      #expect(answer["Set-Cookie"] == nil)
      let found = try answer.json
      #expect(found.keys == ["ok", "problems", "total"])
      return found
    }

    @Test func whatIsSelectedIsInOrder() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let cart = try user.add([(products.a, 2), (products.b, 1)])
      #expect(try validate(user) == ["ok": true, "problems": [], "total": 809])
      #expect(try validate(user, [:]) == ["ok": true, "problems": [], "total": 809])
      try user.select(["selected": false, "skus": ["\(products.a)"]])
      #expect(try validate(user)["total"] == 299)
      #expect(try user.cart()["lines"].elements.count == cart["lines"].elements.count)
      #expect(try user.cart()["version"] == 2)
    }

    @Test func nothingSelectedIsAProblemWithoutASKU() throws {
      let products = try products.get()
      let empty: JSON = ["ok": false, "problems": [["code": "cart_empty"]], "total": 0]
      #expect(try validate(.newGuest()) == empty)
      let user = Shopper.newUser()
      #expect(try validate(user) == empty)
      try user.add(products.a)
      try user.select(["selected": false, "all": true])
      #expect(try validate(user) == empty)
      #expect(try user.cart()["problems"] == [])
    }

    @Test func theExactStockCounts() throws {
      let sku = try Catalogue.make("exact", ["stock": 10])
      let user = Shopper.newUser()
      try user.add(sku, 10)
      #expect(try validate(user)["ok"] == true)
      try Catalogue.load([["sku": "\(sku)", "stock": 4]])
      // At once: no worker's memory is asked.
      let found = try validate(user)
      #expect(found["ok"] == false)
      #expect(found["problems"][0]["code"] == "insufficient_stock")
      #expect(found["problems"][0]["sku"] == "\(sku)")
      #expect(found["problems"][0]["available"] == 4)
    }

    @Test func everyProblemIsNamed() throws {
      let products = try products.get()
      let retired = try Catalogue.make("gone")
      let user = Shopper.newUser()
      try user.add([(products.minimum4, 4), (products.step6, 6), (retired, 1), (products.a, 1)])
      try user.patch(products.minimum4, ["quantity": 1])
      try user.patch(products.step6, ["quantity": 5])
      let result = try TestSystem.cartctl("catalog", "retire", retired)
      #expect(result.status == 0)
      let found = try validate(user)
      let codes = found["problems"].elements.map { "\($0["code"].string ?? "") \($0["sku"].string ?? "")" }
      #expect(
        codes == [
          "minimum_quantity \(products.minimum4)", "quantity_step \(products.step6)", "not_purchasable \(retired)",
        ])
      #expect(found["ok"] == false)
    }

    @Test func aBodyIsNothingOrAnEmptyObject() throws {
      let user = Shopper.newUser()
      try expectProblem(user.send("POST", "/v1/cart/validate", ["all": true]), 422, "unknown_field")
      try expectProblem(user.send("POST", "/v1/cart/validate", []), 422, "invalid_field")
      try expectProblem(user.send("POST", "/v1/cart/validate", bytes: Array("{".utf8)), 400, "malformed_json")
      try expectProblem(user.send("GET", "/v1/cart/validate"), 405, "method_not_allowed")
    }
  }
}
