import CartAPI
import CartDomain
import Testing

/// Adding, changing and removing lines.
@Suite struct Lines {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A", price: 255, merchant: "m1")
    try shop.sell("B", price: 100, merchant: "m2")
    try shop.sell("C", price: 10, stock: 7)
  }

  private func send(_ method: String, _ target: String, _ body: String? = nil) -> Answer {
    shop.send(method, target, body, user: "u")
  }

  @Test func anAddIsOnTopOfWhatIsThere() {
    #expect(send("POST", "/v1/cart/lines", #"{"sku":"A"}"#).line("A")["quantity"] == 1)
    let answer = send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":4,"extraData":{}}"#)
    #expect(answer.line("A")["quantity"] == 5)
    #expect(answer.json["version"] == 2)
    #expect(answer.json["owner"] == "user")
    #expect(answer.json["expiresAt"] == .null)
  }

  @Test func aListIsOneChange() {
    let answer = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"B","quantity":2},{"sku":"A"},{"sku":"B"}]}"#)
    #expect(answer.skus == ["B", "A"])
    #expect(answer.line("B")["quantity"] == 3)
    #expect(answer.json["version"] == 1)
  }

  @Test func aPatchChangesOneLine() {
    _ = send("POST", "/v1/cart/lines", #"{"sku":"A","quantity":2}"#)
    #expect(send("PATCH", "/v1/cart/lines/A", #"{"quantity":9}"#).line("A")["quantity"] == 9)
    #expect(send("PATCH", "/v1/cart/lines/A", #"{"delta":-3}"#).line("A")["quantity"] == 6)
    let both = send("PATCH", "/v1/cart/lines/A", #"{"selected":false,"extraData":{"note":"x"}}"#)
    #expect(both.line("A")["selected"] == false)
    #expect(both.line("A")["extraData"] == ["note": "x"])
    #expect(both.json["version"] == 4)
    #expect(send("PATCH", "/v1/cart/lines/A", #"{"extraData":{ "note" : "x" }}"#).json["version"] == 4)
    #expect(send("PATCH", "/v1/cart/lines/A", #"{"delta":0}"#).json["version"] == 4)
    let gone = send("PATCH", "/v1/cart/lines/A", #"{"quantity":0}"#)
    #expect(gone.skus == [])
    #expect(gone.json["currency"] == .null)
  }

  @Test func deletesRemove() {
    _ = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"},{"sku":"C"}]}"#)
    #expect(send("DELETE", "/v1/cart/lines/A").skus == ["B", "C"])
    #expect(send("DELETE", "/v1/cart/lines/A").json["version"] == 2)
    #expect(send("DELETE", "/v1/cart/lines?merchantId=m2").skus == ["C"])
    #expect(send("DELETE", "/v1/cart/lines?sku=A&sku=C&sku=C").skus == [])
    _ = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"}]}"#)
    _ = send("PUT", "/v1/cart/selection", #"{"selected":false,"merchantId":"m1"}"#)
    #expect(send("DELETE", "/v1/cart/lines?selected=true&view=summary").json.keys == ["version", "counts", "totals"])
    #expect(send("GET", "/v1/cart").skus == ["A"])
    #expect(send("DELETE", "/v1/cart").skus == [])
  }

  @Test(arguments: [
    "", "?", "?selected=false", "?selected=", "?selected", "?sku=A&selected=true", "?merchantId=m1&merchantId=m2",
    "?selected=true&selected=true", "?sku=", "?sku=%20A", "?sku=%zz", "?sku=%ff", "?SKU=A", "?sku=A&x=1", "?sku=..",
    "?view=summary", "?%zz=1&sku=A", "?merchantId=",
  ])
  func exactlyOneKindOfFilterIsDue(query: String) {
    _ = send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    expectProblem(send("DELETE", "/v1/cart/lines" + query), 422, "invalid_field")
    #expect(send("GET", "/v1/cart").skus == ["A"])
  }

  /// A misspelt path to a filter must not empty the cart.
  @Test func aDeleteKnowsItsParameters() {
    _ = send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    expectProblem(send("DELETE", "/v1/cart?sku=A"), 422, "invalid_field")
    expectProblem(send("DELETE", "/v1/cart/lines/A?x"), 422, "invalid_field")
    #expect(send("GET", "/v1/cart?utm_source=x&&=&a=b=c&%zz").skus == ["A"])
    #expect(send("DELETE", "/v1/cart?view=summary").json["counts"]["lines"] == 0)
  }

  @Test func aHundredSKUsAreTheMost() {
    let query = (0..<100).map { "sku=\($0)" }.joined(separator: "&")
    #expect(send("DELETE", "/v1/cart/lines?" + query).status == 200)
    expectProblem(send("DELETE", "/v1/cart/lines?sku=x&" + query), 422, "too_many_lines")
  }

  @Test func selectionIsByAllMerchantOrSKU() {
    _ = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"},{"sku":"C"}]}"#)
    #expect(
      send("PUT", "/v1/cart/selection", #"{"selected":false,"all":true}"#).json["counts"]["selectedLines"] == 0)
    #expect(
      send("PUT", "/v1/cart/selection", #"{"merchantId":"m1","selected":true}"#).json["totals"]["selected"] == 255)
    let answer = send("PUT", "/v1/cart/selection", #"{"selected":true,"skus":["B","absent","B"]}"#)
    #expect(answer.json["totals"]["selected"] == 355)
    // What is named twice is asked of the store once.
    let filter = LineFilter.skus(["B", "absent"].compactMap(SKU.init))
    #expect(shop.store.lastChange?.change == .select(true, filter))
    #expect(answer.json["merchants"].elements.map(\.["selection"]) == ["all", "all", "none"])
    #expect(send("PUT", "/v1/cart/selection", #"{"selected":true,"skus":[]}"#).json["version"] == 4)
  }

  @Test(arguments: [
    ("{}", "invalid_field", "/selected"), (#"{"selected":true}"#, "invalid_field", ""),
    (#"{"all":true}"#, "invalid_field", "/selected"), (#"{"selected":true,"all":false}"#, "invalid_field", "/all"),
    (#"{"selected":1,"all":true}"#, "invalid_field", "/selected"),
    (#"{"selected":true,"all":true,"merchantId":"m1"}"#, "invalid_field", "/merchantId"),
    (#"{"selected":true,"merchantId":""}"#, "invalid_field", "/merchantId"),
    (#"{"selected":true,"skus":"A"}"#, "invalid_field", "/skus"),
    (#"{"selected":true,"skus":["A",1]}"#, "invalid_field", "/skus/1"),
    (#"{"selected":true,"all":true,"force":1}"#, "unknown_field", "/force"), ("[]", "invalid_field", ""),
  ])
  func aSelectionNeedsItsFields(body: String, code: String, pointer: String) {
    expectProblem(send("PUT", "/v1/cart/selection", body), 422, code, pointer: pointer)
  }

  @Test func pricesAreAcknowledged() throws {
    _ = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"}]}"#)
    try shop.sell("A", price: 200, merchant: "m1")
    try shop.sell("B", price: 120, merchant: "m2")
    let marked = send("GET", "/v1/cart")
    #expect(marked.line("A")["priceChange"] == ["direction": "decrease", "from": 255, "to": 200])
    #expect(marked.line("B")["priceChange"] == ["direction": "increase", "from": 100, "to": 120])
    let one = send("POST", "/v1/cart/prices/acknowledge", #"{"skus":["B","absent"]}"#)
    #expect(one.line("B")["priceChange"] == .null)
    #expect(one.line("A")["priceChange"] != .null)
    #expect(send("POST", "/v1/cart/prices/acknowledge", "{}").json["version"] == 3)
    #expect(send("POST", "/v1/cart/prices/acknowledge", "{}").json["version"] == 3)
    expectProblem(
      send("POST", "/v1/cart/prices/acknowledge", #"{"skus":null}"#), 422, "invalid_field", pointer: "/skus")
    expectProblem(send("POST", "/v1/cart/prices/acknowledge", #"{"all":true}"#), 422, "unknown_field", pointer: "/all")
  }

  @Test func theSummaryHasThreeKeys() {
    let answer = send("POST", "/v1/cart/lines?view=summary", #"{"sku":"A","quantity":2}"#)
    let expected: JSON = [
      "version": 1, "counts": ["lines": 1, "quantity": 2, "selectedLines": 1, "selectedQuantity": 2],
      "totals": ["all": 510, "selected": 510],
    ]
    #expect(answer.json == expected)
    #expect(send("GET", "/v1/cart?view=summary").json == expected)
    for view in ["", "=", "=everything", "=summary&view=summary", "=%ff"] {
      expectProblem(send("GET", "/v1/cart?view" + view), 422, "invalid_field")
      expectProblem(send("POST", "/v1/cart/lines?view" + view, #"{"sku":"A"}"#), 422, "invalid_field")
    }
    #expect(send("GET", "/v1/cart").json["version"] == 1)
  }

  @Test func aProductOfAnotherCurrencyHasNoCurrentPrice() throws {
    _ = send("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"B"}]}"#)
    try shop.sell("A", price: 9, currency: "EUR", merchant: "m1")
    let answer = send("GET", "/v1/cart")
    #expect(answer.line("A")["current"] == .null)
    #expect(answer.line("A")["lineTotal"] == 255)
    #expect(answer.json["totals"] == ["all": 355, "selected": 100])
    #expect(answer.json["problems"] == [["code": "currency_mismatch", "sku": "A"]])
  }

  @Test func aProductThatIsGoneShowsItsSnapshot() throws {
    _ = send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)
    shop.catalogue.inner.remove(try #require(SKU("A")))
    let line = send("GET", "/v1/cart").line("A")
    #expect(line["current"] == .null)
    #expect(line["priceChange"] == .null)
    #expect(line["snapshot"] == ["name": "Name of A", "picture": nil, "unitPrice": 255])
    #expect(line["extraData"] == [:])
    #expect(line["lineTotal"] == 255)
  }
}
