import TestSupport
import Testing

/// `DELETE /v1/cart/lines?…` and `PUT /v1/cart/selection`: many lines at once.
@Suite struct Filters {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  /// A cart of five lines of two merchants.
  private func filled() throws -> Shopper {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-d", 2), ("t-b", 3), ("t-free", 4), ("t-c", 5)])
    return user
  }

  private func delete(_ shopper: Shopper, _ query: String) throws -> Answer {
    try shopper.send("DELETE", "/v1/cart/lines" + query)
  }

  @Test func bySKU() throws {
    let user = try filled()
    let cart = try delete(
      user, "?sku=t-c&sku=t-a&sku=t-absent&sku=t-a"
    ).json
    #expect(cart.skus == ["t-d", "t-b", "t-free"])
    #expect(cart["version"] == 2)
    #expect(try delete(user, "?sku=t-a").json["version"] == 2)
  }

  @Test func bySelection() throws {
    let user = try filled()
    try user.select(["selected": false, "skus": ["t-a", "t-free"]])
    let cart = try delete(user, "?selected=true").json
    #expect(cart.skus == ["t-a", "t-free"])
    #expect(cart["version"] == 3)
  }

  @Test func byMerchant() throws {
    let user = try filled()
    #expect(try delete(user, "?merchantId=m2").json.skus == ["t-a", "t-b", "t-c"])
    #expect(try delete(user, "?merchantId=nobody").json["version"] == 2)
    #expect(try delete(user, "?merchantId=m1").json.skus == [])
  }

  @Test(arguments: [
    "", "?", "?selected=false", "?selected=", "?selected", "?selected=1", "?sku=A&selected=true",
    "?merchantId=m1&sku=A", "?merchantId=m1&selected=true", "?unknown=1", "?sku=A&unknown=1", "?view=everything",
    "?merchantId=m1&merchantId=m2", "?selected=true&selected=true", "?sku=", "?sku=%20A", "?merchantId=",
    "?SKU=A", "?sku=a%00b",
    "?sku=%zz", "?sku=%", "?sku=%4", "?sku=%ff", "?%zz=1&sku=A", "?view=summary",
    "?sku=" + String(repeating: "x", count: 65), "?sku=..",
  ])
  func exactlyOneKindIsDue(query: String) throws {
    let user = try filled()
    let before = try user.cart()
    try expectProblem(delete(user, query), 422, "invalid_field")
    #expect(try user.cart() == before)
  }

  @Test func aHundredSKUsOfFullLengthFitIntoAQuery() throws {
    let long = (0..<100).map { number in
      let digits = String(number + 1_000)
      return digits + String(repeating: "é", count: 30)
    }
    let user = try filled()
    let before = try user.cart()
    let query = "?" + long.map { "sku=" + percentEncoded($0) }.joined(separator: "&")
    let answer = try delete(user, query)
    #expect(answer.status == 200)
    #expect(answer.json == before)
    try expectProblem(delete(user, query + "&sku=one-more"), 422, "too_many_lines")
  }

  @Test func aPlusIsASpaceInAQueryAndAPlusInAPath() throws {
    let spaced = Products.freshSKU("a b")
    let plus = spaced.replacing(" ", with: "+")
    try shop.load([Products.product(spaced), Products.product(plus)])
    let user = shop.newUser()
    try user.add([(spaced, 1), (plus, 1)])
    #expect(try delete(user, "?sku=" + plus).json.skus == [plus])
    #expect(try user.send("DELETE", "/v1/cart/lines/" + plus).json.skus == [])
    try user.add([(spaced, 1), (plus, 1)])
    #expect(try delete(user, "?sku=" + percentEncoded(plus)).json.skus == [spaced])
  }

  /// A misspelt path to a filter must not empty the cart.
  @Test func aDeleteKnowsItsParameters() throws {
    let user = try filled()
    for target in ["/v1/cart?sku=t-a", "/v1/cart/lines/t-a?x"] {
      try expectProblem(user.send("DELETE", target), 422, "invalid_field")
    }
    #expect(try user.cart()["version"] == 1)
    #expect(try user.send("DELETE", "/v1/cart?view=summary").json["counts"]["lines"] == 0)
  }

  @Test func theViewStandsBesideAFilter() throws {
    let answer = try delete(try filled(), "?view=summary&sku=t-a")
    #expect(answer.status == 200)
    #expect(answer.json.keys == ["version", "counts", "totals"])
  }

  // MARK: Selection

  @Test func allAreUncheckedAndChecked() throws {
    let user = try filled()
    let none = try user.select(["selected": false, "all": true])
    #expect(none["version"] == 2)
    #expect(none["counts"]["selectedLines"] == 0)
    #expect(none["totals"]["selected"] == 0)
    #expect(none["merchants"].elements.map(\.["selection"]) == ["none", "none"])
    let all = try user.select(["selected": true, "all": true])
    #expect(all["counts"]["selectedLines"] == 5)
    #expect(all["merchants"].elements.map(\.["selection"]) == ["all", "all"])
  }

  @Test func oneMerchantsLinesAreUnchecked() throws {
    let user = try filled()
    let cart = try user.select(["selected": false, "merchantId": "m1"])
    #expect(
      cart["lines"].elements.filter { $0["selected"] == true }.compactMap(\.["sku"].string) == [
        "t-d", "t-free",
      ])
    #expect(cart["totals"]["selected"] == 80)
  }

  @Test func namedLinesAreUnchecked() throws {
    let user = try filled()
    let cart = try user.select([
      "selected": false, "skus": ["t-b", "t-absent", "t-b"],
    ])
    #expect(cart.line("t-b")["selected"] == false)
    #expect(cart["counts"]["selectedLines"] == 4)
    #expect(cart["merchants"][0]["selection"] == "some")
    #expect(cart.skus == ["t-a", "t-d", "t-b", "t-free", "t-c"])
  }

  @Test(
    arguments: [
      ("{}", "invalid_field", "/selected"), (#"{"selected":true}"#, "invalid_field", ""),
      (#"{"all":true}"#, "invalid_field", "/selected"), (#"{"selected":true,"all":false}"#, "invalid_field", "/all"),
      (#"{"selected":true,"all":null}"#, "invalid_field", "/all"),
      (#"{"selected":1,"all":true}"#, "invalid_field", "/selected"),
      (#"{"selected":"true","all":true}"#, "invalid_field", "/selected"),
      (#"{"selected":null,"all":true}"#, "invalid_field", "/selected"),
      (#"{"selected":true,"all":true,"merchantId":"m1"}"#, "invalid_field", "/merchantId"),
      (#"{"selected":true,"merchantId":"m1","skus":["A"]}"#, "invalid_field", nil),
      (#"{"selected":true,"all":true,"skus":[]}"#, "invalid_field", nil),
      (#"{"selected":true,"merchantId":7}"#, "invalid_field", "/merchantId"),
      (#"{"selected":true,"merchantId":""}"#, "invalid_field", "/merchantId"),
      (#"{"selected":true,"skus":"A"}"#, "invalid_field", "/skus"),
      (#"{"selected":true,"skus":["A",1]}"#, "invalid_field", "/skus/1"),
      (#"{"selected":true,"skus":[""]}"#, "invalid_field", "/skus/0"),
      (#"{"selected":true,"skus":[null]}"#, "invalid_field", "/skus/0"),
      (#"{"selected":true,"skus":[".."]}"#, "invalid_field", "/skus/0"),
      (#"{"selected":true,"all":true,"force":1}"#, "unknown_field", "/force"), ("[]", "invalid_field", ""),
    ] as [(String, String, String?)])
  func aSelectionNeedsItsFields(body: String, code: String, pointer: String?) throws {
    let user = try filled()
    try expectProblem(user.send("PUT", "/v1/cart/selection", text: body), 422, code, pointer: pointer)
    #expect(try user.cart()["version"] == 1)
  }

  @Test func aSelectionNamesTwoThousandSKUs() throws {
    let skus = JSON.array((0..<2_001).map { .string("s\($0)") })
    try expectProblem(
      shop.newUser().send("PUT", "/v1/cart/selection", ["selected": true, "skus": skus]), 422, "too_many_lines",
      pointer: "/skus")
  }
}
