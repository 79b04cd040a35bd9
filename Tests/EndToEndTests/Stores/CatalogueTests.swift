import TestSupport
import Testing

extension EndToEnd {
  /// What `cartctl catalog import` takes over, and that every worker sees it within a second.
  @Suite struct Catalogue {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    @Test func everyWorkerSeesANewPriceWithinASecond() throws {
      let sku = try shop.make("seen", price: 100)
      let users = (0..<12).map { _ in shop.newUser() }
      // Each worker has the old price in its cache.
      for user in users { try user.add(sku) }
      for user in users { _ = try user.cart() }
      try shop.load([["sku": "\(sku)", "unitPrice": 150]])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].cart()
      } isNew: {
        $0.line(sku)["current"]["unitPrice"] == 150
      }
      #expect(stale.isEmpty)
    }

    @Test func everyWorkerSeesANewStockWithinASecond() throws {
      let sku = try shop.make("seen-stock", ["stock": 500])
      let users = (0..<12).map { _ in shop.newUser() }
      for user in users { try user.add(sku) }
      try shop.load([["sku": "\(sku)", "stock": 0]])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].send("PATCH", linePath(sku), ["quantity": 2]).status
      } isNew: {
        $0 == 422
      }
      #expect(stale.isEmpty)
    }

    @Test func aSKUThatWasUnknownIsSoldWithinASecond() throws {
      let sku = Products.freshSKU("new")
      let users = (0..<12).map { _ in shop.newUser() }
      for user in users {
        try expectProblem(user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]), 422, "unknown_sku")
      }
      try shop.load([Products.product(sku)])
      let stale = try staleAnswers(after: 1) { turn in
        try users[turn].send("POST", "/v1/cart/lines", ["sku": "\(sku)"]).status
      } isNew: {
        $0 == 200
      }
      #expect(stale.isEmpty)
    }

    @Test func anImportLeavesWhatItDoesNotName() throws {
      let sku = try shop.make("kept", price: 200, ["stock": 9, "purchaseLimit": 7, "merchantId": "m9"])
      let user = shop.newUser()
      try user.add(sku, 2)
      try shop.load([["sku": "\(sku)", "unitPrice": 210]])
      let cart = try shop.awaited(user) { $0.line(sku)["priceChange"] != .null }
      #expect(cart.line(sku)["current"] == ["unitPrice": 210, "purchasable": true, "availableQuantity": 9])
      #expect(cart.line(sku)["extraData"]["purchaseLimit"] == 7)
      #expect(cart.line(sku)["merchantId"] == "m9")
      // Null clears.
      try shop.load([["sku": "\(sku)", "stock": nil, "purchaseLimit": nil]])
      let cleared = try shop.awaited(user) { $0.line(sku)["current"]["availableQuantity"] == .null }
      #expect(cleared.line(sku)["extraData"] == [:])
      #expect(try user.patch(sku, ["quantity": 1_000]).line(sku)["quantity"] == 1_000)
    }

    @Test func anImportWithABadLineChangesNothingAndNamesEach() throws {
      let sku = try shop.make("intact", price: 200)
      let user = shop.newUser()
      try user.add(sku)
      let lines = [
        #"{"sku":"\#(sku)","unitPrice":999}"#, #"{"sku":"\#(sku)-2","name":"x","unitPrice":-1,"currency":"GBP"}"#,
        #"{"sku":"\#(sku)-3"}"#, "not json",
      ]
      let result = try ShopBehindNginx.importText(lines.joined(separator: "\n") + "\n", suffix: ".ndjson")
      #expect(result.status != 0)
      let said = result.output + result.errors
      for number in 2...4 { #expect(said.contains(try Regex("\\b\(number)\\b")), "\(said)") }
      // Had the good line been taken over, a second later every worker would show it.
      let changed = try staleAnswers(after: 1) { _ in
        try user.cart()
      } isNew: {
        $0.line(sku)["current"]["unitPrice"] == 200
      }
      #expect(changed.isEmpty)
    }

    @Test func aCatalogueMayBeCSV() throws {
      let sku = Products.freshSKU("csv, \"quoted\"")
      let quoted = "\"" + sku.replacing("\"", with: "\"\"") + "\""
      let text = "sku,name,unitPrice,currency,stock,purchaseLimit\r\n\(quoted),\"A, B\",120,GBP,5,\\N\r\n"
      let result = try ShopBehindNginx.importText(text, suffix: ".csv")
      #expect(result.status == 0, "\(result.errors)")
      let cart = try shop.newUser().add(sku, 2)
      #expect(cart.line(sku)["snapshot"]["name"] == "A, B")
      #expect(cart.line(sku)["current"]["availableQuantity"] == 5)
    }
  }
}
