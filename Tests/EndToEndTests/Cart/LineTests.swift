import Foundation
import Testing

extension EndToEnd {
  /// Adding, changing and removing lines.
  @Suite struct Lines {
    let products = Result { try SharedProducts.get() }

    @Test func addingIsOnTopOfWhatIsThere() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      #expect(try user.add(products.a).line(products.a)["quantity"] == 1)
      #expect(try user.add(products.a, 4).line(products.a)["quantity"] == 5)
      let cart = try user.add(products.b, 1_000)
      #expect(cart["version"] == 3)
      #expect(cart.skus == [products.a, products.b])
      #expect(cart["totals"] == ["all": .int(5 * 255 + 1_000 * 299), "selected": .int(5 * 255 + 1_000 * 299)])
    }

    @Test func manyAreAddedAsOneChange() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.c)
      let cart = try user.add([
        (products.b, 2), (products.a, 1), (products.d, 7), (products.a, 3), (products.c, 1), (products.b, 1),
      ])
      #expect(cart["version"] == 2)
      #expect(cart.skus == [products.c, products.b, products.a, products.d])
      #expect(cart["lines"].elements.map(\.["quantity"]) == [2, 3, 4, 7])
      #expect(cart["merchants"].elements.map(\.["merchantId"]) == ["m1", "m2"])
    }

    @Test func aQuantityMayBeLeftOutInABulkToo() throws {
      let products = try products.get()
      let body: JSON = ["lines": [["sku": "\(products.a)"], ["sku": "\(products.b)", "quantity": 2]]]
      let cart = try Shopper.newUser().send("POST", "/v1/cart/lines", body).json
      #expect(cart["lines"].elements.map(\.["quantity"]) == [1, 2])
    }

    @Test func aHundredAreAddedAtOnce() throws {
      let products = try products.get()
      let cart = try Shopper.newUser().add(products.many.prefix(100).map { (sku: $0, quantity: 3) })
      #expect(cart.skus == Array(products.many.prefix(100)))
      #expect(cart["version"] == 1)
      #expect(cart["totals"]["all"] == 300)
    }

    @Test func oneBadEntryRefusesAll() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      let body = JSON.bulk([(products.a, 1), (products.b, 1), (Catalogue.prefix + "none", 1), (products.limit5, 6)])
      let problem = try expectProblem(
        user.send("POST", "/v1/cart/lines", body), 422, "unknown_sku", pointer: "/lines/2/sku")
      #expect(problem["errors"][0]["sku"] == "\(Catalogue.prefix)none")
      #expect(try user.cart() == before)
    }

    @Test func anAddSelectsTheLineAgain() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add([(products.a, 1), (products.b, 1)])
      try user.select(["selected": false, "all": true])
      let cart = try user.add(products.a)
      #expect(cart.line(products.a)["selected"] == true)
      #expect(cart.line(products.b)["selected"] == false)
    }

    @Test func aLineAddedAnewComesLast() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add([(products.a, 1), (products.b, 1)])
      try user.remove(products.a)
      #expect(try user.add(products.a).skus == [products.b, products.a])
    }

    @Test func patchSetsTheQuantity() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a, 2)
      let cart = try user.patch(products.a, ["quantity": 9])
      #expect(cart.line(products.a)["quantity"] == 9)
      #expect(cart["version"] == 2)
      #expect(try user.patch(products.a, ["quantity": 1]).line(products.a)["quantity"] == 1)
      #expect(try user.patch(products.a, ["quantity": 1_000_000]).line(products.a)["quantity"] == 1_000_000)
      let removed = try user.patch(products.a, ["quantity": 0])
      #expect(removed.skus == [])
      #expect(removed["version"] == 5)
      #expect(removed["currency"] == .null)
    }

    @Test func patchMovesTheQuantity() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a, 2)
      #expect(try user.patch(products.a, ["delta": 5]).line(products.a)["quantity"] == 7)
      #expect(try user.patch(products.a, ["delta": -3]).line(products.a)["quantity"] == 4)
      #expect(try user.patch(products.a, ["delta": -4]).skus == [])
      try user.add(products.a, 2)
      #expect(try user.patch(products.a, ["delta": -1_000_000]).skus == [])
    }

    @Test func patchChangesSeveralThingsAsOneChange() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a, 2)
      let cart = try user.patch(products.a, ["quantity": 3, "selected": false, "extraData": ["gift": true]])
      #expect(cart["version"] == 2)
      #expect(cart.line(products.a)["quantity"] == 3)
      #expect(cart.line(products.a)["selected"] == false)
      #expect(cart.line(products.a)["extraData"] == ["gift": true])
      #expect(try user.patch(products.a, ["delta": 1]).line(products.a)["selected"] == false)
    }

    @Test func whatChangesNothingLeavesTheVersion() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a, 2, extraData: ["note": "x"])
      let answers = [
        try user.patch(products.a, ["quantity": 2]), try user.patch(products.a, ["delta": 0]),
        try user.patch(products.a, ["selected": true]), try user.patch(products.a, ["extraData": ["note": "x"]]),
        try user.remove(products.b), try user.acknowledge(), try user.select(["selected": true, "all": true]),
        try user.select(["selected": false, "skus": ["\(products.b)"]]),
        try user.select(["selected": false, "merchantId": "nobody"]),
      ]
      for answer in answers { #expect(answer == before) }
    }

    @Test(
      arguments: [
        ["quantity": 2], ["quantity": 0], ["delta": 1], ["delta": 0], ["selected": true], ["extraData": [:]],
      ] as [JSON])
    func patchOfAnAbsentLineIsNotFound(body: JSON) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      let problem = try expectProblem(
        user.send("PATCH", linePath(products.b), body), 404, "line_not_found", hasCart: true)
      #expect(problem["cart"] == before)
      // Before anything was ever written, too.
      let empty = try expectProblem(
        Shopper.newGuest().send("PATCH", linePath(products.b), body), 404, "line_not_found", hasCart: true)
      #expect(empty["cart"]["version"] == 0)
    }

    @Test(
      arguments: [
        [:], ["quantity": 1, "delta": 1], ["quantity": 0, "delta": 0], ["selected": 1], ["selected": nil],
        ["selected": "true"], ["extraData": nil], ["extraData": []], ["extraData": "x"],
      ] as [JSON])
    func patchNeedsSomethingSensible(body: JSON) throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = try user.add(products.a)
      try expectProblem(user.send("PATCH", linePath(products.a), body), 422, "invalid_field")
      #expect(try user.cart() == before)
    }

    @Test func deleteRemovesALine() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add([(products.a, 1), (products.b, 2)])
      let cart = try user.remove(products.a)
      #expect(cart.skus == [products.b])
      #expect(cart["version"] == 2)
      #expect(try user.remove(products.a) == cart)
      #expect(try user.remove(Catalogue.prefix + "never-sold") == cart)
    }

    @Test func clearingEmptiesAndKeepsCounting() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add([(products.a, 1), (products.b, 2)])
      let cart = try user.clear()
      #expect(cart["version"] == 2)
      #expect(cart.skus == [])
      #expect(cart["currency"] == .null)
      #expect(cart["totals"] == ["all": 0, "selected": 0])
      #expect(try user.clear()["version"] == 2)
      #expect(try user.add(products.a)["version"] == 3)
    }

    @Test func changesFromManyConnectionsAllCount() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let connections = (0..<8).map { _ in Shopper(user: user.user) }
      // All requests are written before the first answer is read, so that several workers hold one at once.
      let body: JSON = ["sku": "\(products.a)", "quantity": 1]
      for connection in connections {
        let request = HTTPRequest(
          method: "POST", target: "/v1/cart/lines",
          headers: connection.identity + [(name: "Content-Type", value: "application/json")],
          body: Array(body.description.utf8))
        let bytes = request.bytes(host: connection.connection.host)
        try connection.connection.write(bytes + bytes)
      }
      var versions: [Int] = []
      for connection in connections {
        for _ in 0..<2 {
          let answer = try connection.connection.readResponse()
          #expect(answer.status == 200)
          versions.append(try answer.json["version"].int ?? -1)
        }
      }
      #expect(versions.sorted() == Array(1...16))
      #expect(try user.cart().line(products.a)["quantity"] == 16)
    }
  }
}
