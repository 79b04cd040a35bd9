import TestSupport
import Testing

/// Stock: its marks, what it refuses, what becomes a problem later.
@Suite struct Stock {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test(arguments: [(1, "low"), (20, "low"), (21, "in"), (5_000, "in")])
  func theMarkSaysHowMuchIsLeft(stock: Int, mark: String) throws {
    let sku = try shop.make("mark", ["stock": .int(stock)])
    let line = try shop.newUser().add(sku).line(sku)
    #expect(line["extraData"] == ["stock": "\(mark)"])
    #expect(line["current"]["availableQuantity"] == .int(stock))
  }

  @Test func stockThatIsNotCountedHasNoMark() throws {
    let sku = try shop.make("uncounted")
    let line = try shop.newUser().add(sku).line(sku)
    #expect(line["extraData"] == [:])
    #expect(line["current"]["availableQuantity"] == .null)
  }

  @Test func nothingLeftIsOutOfStock() throws {
    let sku = try shop.make("out", ["stock": 0])
    let user = shop.newUser()
    let problem = try expectProblem(
      user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "out_of_stock", hasCart: true)
    #expect(problem["errors"][0]["requested"] == 1)
    #expect(problem["errors"][0]["available"] == 0)
  }

  @Test func moreThanIsLeftIsInsufficient() throws {
    let sku = try shop.make("few", ["stock": 7])
    let user = shop.newUser()
    let before = try user.add(sku, 4)
    let problem = try expectProblem(
      user.send("POST", "/v1/cart/lines", ["sku": "\(sku)", "quantity": 4]), 422, "insufficient_stock",
      pointer: "/quantity", hasCart: true)
    #expect(problem["errors"][0]["sku"] == "\(sku)")
    #expect(problem["errors"][0]["requested"] == 8)
    #expect(problem["errors"][0]["available"] == 7)
    #expect(problem["cart"] == before)
    try expectProblem(
      user.send("PATCH", linePath(sku), ["quantity": 8]), 422, "insufficient_stock", pointer: "/quantity")
    #expect(try user.add(sku, 3).line(sku)["quantity"] == 7)
    // A cart reserves nothing: another shopper may have them all, too.
    #expect(try shop.newUser().add(sku, 7).line(sku)["quantity"] == 7)
  }

  @Test func stockThatRunsDownBecomesAProblem() throws {
    let sku = try shop.make("down", ["stock": 50])
    let user = shop.newUser()
    #expect(try user.add(sku, 10).line(sku)["extraData"]["stock"] == "in")
    try shop.load([["sku": "\(sku)", "stock": 6]])
    let short = try shop.awaited(user) { $0["problems"] != [] }
    #expect(short["version"] == 1)
    #expect(short.problemCodes == ["insufficient_stock \(sku)"])
    #expect(short["problems"][0]["available"] == 6)
    #expect(short.line(sku)["extraData"]["stock"] == "insufficient")
    // Still purchasable: stock aside.
    #expect(short["totals"]["selected"] == .int(2_500))
    #expect(try user.patch(sku, ["quantity": 8]).line(sku)["quantity"] == 8)
    let fits = try user.patch(sku, ["quantity": 6])
    #expect(fits["problems"] == [])
    #expect(fits.line(sku)["extraData"]["stock"] == "low")
    try shop.load([["sku": "\(sku)", "stock": 0]])
    let out = try shop.awaited(user) { $0["problems"] != [] }
    #expect(out.problemCodes == ["out_of_stock \(sku)"])
    #expect(out.line(sku)["extraData"]["stock"] == "out")
    #expect(try user.select(["selected": false, "all": true])["problems"] == [])
    #expect(try user.patch(sku, ["delta": -1]).line(sku)["quantity"] == 5)
  }

  @Test func severalProblemsAreAllTold() throws {
    let sku = try shop.make("several", ["stock": 100, "purchaseLimit": 50, "quantityStep": 5])
    let user = shop.newUser()
    try user.add(sku, 10)
    try shop.load([["sku": "\(sku)", "stock": 2, "purchaseLimit": 3, "quantityStep": 4]])
    let cart = try shop.awaited(user) { $0["problems"] != [] }
    #expect(
      cart.problemCodes == ["insufficient_stock \(sku)", "purchase_limit \(sku)", "quantity_step \(sku)"])
  }

  @Test func everyBadEntryIsReported() throws {
    let few = try shop.make("few", ["stock": 2])
    let limited = try shop.make("limited", ["purchaseLimit": 1])
    let body = JSON.bulk([(few, 3), (limited, 2), ("t-nothing", 1)])
    let problem = try expectProblem(
      shop.newGuest().send("POST", "/v1/cart/lines", body), 422, "insufficient_stock", pointer: "/lines/0/quantity",
      hasCart: true)
    #expect(problem["cart"]["version"] == 0 && problem["cart"]["owner"] == "guest")
    #expect(
      problem["errors"].elements.map(\.["code"]) == ["insufficient_stock", "purchase_limit", "unknown_sku"])
    #expect(
      problem["errors"].elements.map(\.["pointer"]) == ["/lines/0/quantity", "/lines/1/quantity", "/lines/2/sku"])
  }
}
