import CartAPI
import CartDomain
import Testing

/// `POST /v1/cart/validate` and `GET /ops/health`.
@Suite struct Validate {
  @Test func nothingSelectedIsAProblem() throws {
    let shop = try Shop()
    try shop.sell("A")
    let empty: JSON = ["ok": false, "problems": [["code": "cart_empty"]], "total": 0]
    #expect(shop.send("POST", "/v1/cart/validate").json == empty)
    #expect(shop.store.calls == 0)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    shop.send("PUT", "/v1/cart/selection", #"{"selected":false,"all":true}"#, user: "u")
    #expect(shop.send("POST", "/v1/cart/validate", user: "u").json == empty)
    #expect(shop.catalogue.exactCalls == 0)
  }

  @Test func theSelectedLinesAreChecked() throws {
    let shop = try Shop()
    try shop.sell("A", price: 5, stock: 10)
    try shop.sell("B", price: 7, stock: 10)
    shop.send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A","quantity":4},{"sku":"B"}]}"#, user: "u")
    let fine = shop.send("POST", "/v1/cart/validate", "{}", user: "u")
    #expect(fine.json == ["ok": true, "problems": [], "total": 27])
    #expect(shop.catalogue.exactCalls == 1)
    #expect(fine["Cache-Control"] == "no-store")
    try shop.sell("A", price: 6, stock: 3)
    try shop.sell("B", price: 7, stock: 0)
    shop.send("PATCH", "/v1/cart/lines/B", #"{"selected":false}"#, user: "u")
    let problems: JSON = [["code": "insufficient_stock", "sku": "A", "requested": 4, "available": 3]]
    #expect(
      shop.send("POST", "/v1/cart/validate", user: "u").json == ["ok": false, "problems": problems, "total": 24])
    #expect(shop.send("GET", "/v1/cart", user: "u").json["problems"] == problems)
  }

  @Test func itTakesNoFields() throws {
    let shop = try Shop()
    expectProblem(shop.send("POST", "/v1/cart/validate", #"{"a":1}"#), 422, "unknown_field", pointer: "/a")
    expectProblem(shop.send("POST", "/v1/cart/validate", "[]"), 422, "invalid_field")
    expectProblem(shop.send("POST", "/v1/cart/validate", " "), 400, "malformed_json")
    #expect(shop.send("POST", "/v1/cart/validate", headers: [.contentType: "text/plain"]).status == 200)
    expectProblem(shop.send("POST", "/v1/cart/validate", "{}", headers: [.contentType: "text/plain"]), 415, "not_json")
  }

  @Test func healthAsksNobody() throws {
    let shop = try Shop()
    shop.store.isAway = true
    shop.catalogue.isAway = true
    let answer = shop.send("GET", "/ops/health", user: "\u{1}")
    #expect(answer.status == 200)
    #expect(answer.text == #"{"status":"ok"}"#)
    #expect(shop.store.calls == 0)
  }
}
