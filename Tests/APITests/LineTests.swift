import TestSupport
import Testing

/// Adding, changing and removing lines.
@Suite struct Lines {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func addingIsOnTopOfWhatIsThere() throws {
    let user = shop.newUser()
    #expect(try user.add("t-a").line("t-a")["quantity"] == 1)
    #expect(try user.add("t-a", 4).line("t-a")["quantity"] == 5)
    let cart = try user.add("t-b", 1_000)
    #expect(cart["version"] == 3)
    #expect(cart.skus == ["t-a", "t-b"])
    #expect(cart["totals"] == ["all": .int(5 * 255 + 1_000 * 299), "selected": .int(5 * 255 + 1_000 * 299)])
  }

  @Test func manyAreAddedAsOneChange() throws {
    let user = shop.newUser()
    try user.add("t-c")
    let cart = try user.add([
      ("t-b", 2), ("t-a", 1), ("t-d", 7), ("t-a", 3), ("t-c", 1), ("t-b", 1),
    ])
    #expect(cart["version"] == 2)
    #expect(cart.skus == ["t-c", "t-b", "t-a", "t-d"])
    #expect(cart["lines"].elements.map(\.["quantity"]) == [2, 3, 4, 7])
    #expect(cart["merchants"].elements.map(\.["merchantId"]) == ["m1", "m2"])
  }

  @Test func aQuantityMayBeLeftOutInABulkToo() throws {
    let body: JSON = ["lines": [["sku": "t-a"], ["sku": "t-b", "quantity": 2]]]
    let cart = try shop.newUser().send("POST", "/v1/cart/lines", body).json
    #expect(cart["lines"].elements.map(\.["quantity"]) == [1, 2])
  }

  @Test func aHundredAreAddedAtOnce() throws {
    try shop.load(Products.many.prefix(100).map { Products.product($0, price: 1) })
    let cart = try shop.newUser().add(Products.many.prefix(100).map { (sku: $0, quantity: 3) })
    #expect(cart.skus == Array(Products.many.prefix(100)))
    #expect(cart["version"] == 1)
    #expect(cart["totals"]["all"] == 300)
  }

  @Test func oneBadEntryRefusesAll() throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    let body = JSON.bulk([("t-a", 1), ("t-b", 1), ("t-none", 1), ("t-limit5", 6)])
    let problem = try expectProblem(
      user.send("POST", "/v1/cart/lines", body), 422, "unknown_sku", pointer: "/lines/2/sku")
    #expect(problem["errors"][0]["sku"] == "t-none")
    #expect(try user.cart() == before)
  }

  @Test func anAddSelectsTheLineAgain() throws {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-b", 1)])
    try user.select(["selected": false, "all": true])
    let cart = try user.add("t-a")
    #expect(cart.line("t-a")["selected"] == true)
    #expect(cart.line("t-b")["selected"] == false)
  }

  @Test func aLineAddedAnewComesLast() throws {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-b", 1)])
    try user.remove("t-a")
    #expect(try user.add("t-a").skus == ["t-b", "t-a"])
  }

  @Test func patchSetsTheQuantity() throws {
    let user = shop.newUser()
    try user.add("t-a", 2)
    let cart = try user.patch("t-a", ["quantity": 9])
    #expect(cart.line("t-a")["quantity"] == 9)
    #expect(cart["version"] == 2)
    #expect(try user.patch("t-a", ["quantity": 1]).line("t-a")["quantity"] == 1)
    #expect(try user.patch("t-a", ["quantity": 1_000_000]).line("t-a")["quantity"] == 1_000_000)
    let removed = try user.patch("t-a", ["quantity": 0])
    #expect(removed.skus == [])
    #expect(removed["version"] == 5)
    #expect(removed["currency"] == .null)
  }

  @Test func patchMovesTheQuantity() throws {
    let user = shop.newUser()
    try user.add("t-a", 2)
    #expect(try user.patch("t-a", ["delta": 5]).line("t-a")["quantity"] == 7)
    #expect(try user.patch("t-a", ["delta": -3]).line("t-a")["quantity"] == 4)
    #expect(try user.patch("t-a", ["delta": -4]).skus == [])
    try user.add("t-a", 2)
    #expect(try user.patch("t-a", ["delta": -1_000_000]).skus == [])
  }

  @Test func patchChangesSeveralThingsAsOneChange() throws {
    let user = shop.newUser()
    try user.add("t-a", 2)
    let cart = try user.patch("t-a", ["quantity": 3, "selected": false, "extraData": ["gift": true]])
    #expect(cart["version"] == 2)
    #expect(cart.line("t-a")["quantity"] == 3)
    #expect(cart.line("t-a")["selected"] == false)
    #expect(cart.line("t-a")["extraData"] == ["gift": true])
    #expect(try user.patch("t-a", ["delta": 1]).line("t-a")["selected"] == false)
  }

  @Test func whatChangesNothingLeavesTheVersion() throws {
    let user = shop.newUser()
    let before = try user.add("t-a", 2, extraData: ["note": "x"])
    let answers = [
      try user.patch("t-a", ["quantity": 2]), try user.patch("t-a", ["delta": 0]),
      try user.patch("t-a", ["selected": true]), try user.patch("t-a", ["extraData": ["note": "x"]]),
      try user.send("PATCH", linePath("t-a"), text: #"{"extraData":{ "note" : "x" }}"#).json,
      try user.remove("t-b"), try user.acknowledge(), try user.select(["selected": true, "all": true]),
      try user.select(["selected": false, "skus": ["t-b"]]),
      try user.select(["selected": false, "merchantId": "nobody"]), try user.select(["selected": true, "skus": []]),
    ]
    for answer in answers { #expect(answer == before) }
  }

  @Test(
    arguments: [
      ["quantity": 2], ["quantity": 0], ["delta": 1], ["delta": 0], ["selected": true], ["extraData": [:]],
    ] as [JSON])
  func patchOfAnAbsentLineIsNotFound(body: JSON) throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    let problem = try expectProblem(
      user.send("PATCH", linePath("t-b"), body), 404, "line_not_found", hasCart: true)
    #expect(problem["cart"] == before)
    // Before anything was ever written, too.
    let empty = try expectProblem(
      shop.newGuest().send("PATCH", linePath("t-b"), body), 404, "line_not_found", hasCart: true)
    #expect(empty["cart"]["version"] == 0)
  }

  @Test(arguments: [
    ("{}", "invalid_field", ""), (#"{"quantity":1,"delta":1}"#, "invalid_field", "/delta"),
    (#"{"quantity":0,"delta":0}"#, "invalid_field", "/delta"), (#"{"selected":1}"#, "invalid_field", "/selected"),
    (#"{"selected":null}"#, "invalid_field", "/selected"), (#"{"selected":"true"}"#, "invalid_field", "/selected"),
    (#"{"extraData":"x"}"#, "invalid_field", "/extraData"), (#"{"extraData":null}"#, "invalid_field", "/extraData"),
    (#"{"extraData":[]}"#, "invalid_field", "/extraData"), (#"{"sku":"A"}"#, "unknown_field", "/sku"),
    (#"{"quantity":1,"version":3}"#, "unknown_field", "/version"), ("[]", "invalid_field", ""),
    ("1", "invalid_field", ""), (#"{"quantity":-1}"#, "invalid_quantity", "/quantity"),
    (#"{"delta":-1000001}"#, "invalid_quantity", "/delta"),
  ])
  func anEditNeedsItsFields(body: String, code: String, pointer: String) throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    try expectProblem(user.send("PATCH", linePath("t-a"), text: body), 422, code, pointer: pointer)
    #expect(try user.cart() == before)
  }

  @Test func deleteRemovesALine() throws {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-b", 2)])
    let cart = try user.remove("t-a")
    #expect(cart.skus == ["t-b"])
    #expect(cart["version"] == 2)
    #expect(try user.remove("t-a") == cart)
    #expect(try user.remove("t-never-sold") == cart)
  }

  @Test func clearingEmptiesAndKeepsCounting() throws {
    let user = shop.newUser()
    try user.add([("t-a", 1), ("t-b", 2)])
    let cart = try user.clear()
    #expect(cart["version"] == 2)
    #expect(cart.skus == [])
    #expect(cart["currency"] == .null)
    #expect(cart["totals"] == ["all": 0, "selected": 0])
    #expect(try user.clear()["version"] == 2)
    #expect(try user.add("t-a")["version"] == 3)
  }
}
