import TestSupport
import Testing

extension Shopper {
  /// `POST /v1/orders`.
  func order(
    _ total: Int, key: String = uniqueText(), _ more: JSON = [:], version: String = ""
  ) throws -> Answer {
    var body: JSON = ["expectedTotal": .int(total)]
    for (name, value) in more.members { body = body.setting(name, value) }
    // An empty If-Match is none.
    return try send("POST", "/v1/orders", body, headers: ["Idempotency-Key": key, "If-Match": version])
  }

  /// An order that must succeed.
  func placed(_ total: Int, _ more: JSON = [:]) throws -> JSON {
    let answer = try order(total, more)
    #expect(answer.status == 201, "\(answer.text)")
    return answer.json
  }

  func cancel(_ id: String) throws -> Answer { try send("POST", "/v1/orders/\(id)/cancel") }
}

extension EndToEnd {
  /// `/v1/orders`, where everything goes well or is refused.
  @Suite struct Orders {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    private static let keys: Set<String> = [
      "id", "status", "currency", "minorUnit", "total", "data", "lines", "placedAt", "cartVersion",
    ]
    private static let lineKeys: Set<String> = [
      "sku", "merchantId", "name", "picture", "quantity", "unitPrice", "lineTotal", "extraData",
    ]

    @Test func anOrderIsPlacedAndRead() throws {
      let sku = try shop.make("order", price: 250, ["stock": 10, "picture": "/p/x.jpg", "merchantId": "m7"])
      let rest = try shop.make("rest", price: 3)
      let user = shop.newUser()
      try user.add(sku, 2, extraData: ["gift": true, "note": "é\"\\"])
      try user.add(rest)
      try user.select(["selected": false, "skus": ["\(rest)"]])
      let answer = try user.order(500, ["cartVersion": 3, "data": ["wrap": [1, 2.5, .null]]])
      #expect(answer.status == 201)
      #expect(answer["Cache-Control"] == "no-store")
      let order = answer.json
      #expect(order.keys == Self.keys)
      #expect(order["status"] == "placed")
      #expect(order["currency"] == "GBP")
      #expect(order["minorUnit"] == 2)
      #expect(order["total"] == 500)
      #expect(order["data"] == ["wrap": [1, 2.5, .null]])
      #expect(order["lines"].elements.count == 1)
      #expect(order["placedAt"].string?.isTimestamp == true)
      let line = order["lines"][0]
      #expect(line.keys == Self.lineKeys)
      #expect(line["sku"] == "\(sku)")
      #expect(line["merchantId"] == "m7")
      #expect(line["name"] == "Name of \(sku)")
      #expect(line["picture"] == "/p/x.jpg")
      #expect(line["unitPrice"] == 250)
      #expect(line["lineTotal"] == 500)
      #expect(line["extraData"] == ["gift": true, "note": "é\"\\"])
      let cart = try user.cart()
      #expect(cart.skus == [rest])
      #expect(order["cartVersion"] == cart["version"])
      #expect(cart["version"] == 4)
      let id = try #require(order["id"].string)
      #expect(answer["Location"] == "/v1/orders/\(id)")
      let read = try user.send("GET", "/v1/orders/\(id)")
      #expect(read.status == 200)
      #expect(read.json == order)
      #expect(read["Cache-Control"] == "private, no-cache")
      #expect(try user.send("GET", "/v1/orders").json == ["orders": [order], "next": .null])
      try expectProblem(shop.newUser().send("GET", "/v1/orders/\(id)"), 404, "order_not_found")
      try expectProblem(shop.newGuest().send("GET", "/v1/orders/\(id)"), 404, "order_not_found")
      try expectProblem(user.send("GET", "/v1/orders/nonsense"), 404, "order_not_found")
    }

    @Test func theSameKeyIsTheSameOrder() throws {
      let sku = try shop.make("key", price: 10, ["stock": 10])
      let user = shop.newUser()
      try user.add(sku)
      let key = uniqueText()
      let first = try user.order(10, key: key)
      #expect(first.status == 201)
      for _ in 0..<3 {
        let again = try user.order(10, key: key)
        #expect(again.status == 200)
        #expect(again["Idempotent-Replayed"] == "true")
        #expect(again.body == first.body)
      }
      try expectProblem(user.order(11, key: key), 422, "idempotency_key_reused")
      let other = shop.newUser()
      try other.add(sku)
      #expect(try other.order(10, key: key).status == 201)
      #expect(try other.cart()["lines"] == [])
    }

    @Test func refusalsComeInTheirOrderAndChangeNothing() throws {
      let sku = try shop.make("refused", price: 100, ["stock": 5])
      let user = shop.newUser()
      try expectProblem(user.order(1, ["cartVersion": 9]), 412, "version_mismatch", hasCart: true)
      try expectProblem(user.order(1, ["skus": ["nothing"]]), 404, "line_not_found", pointer: "/skus/0", hasCart: true)
      try expectProblem(user.order(1), 409, "cart_empty", hasCart: true)
      try expectProblem(shop.newGuest().order(1), 409, "cart_empty", hasCart: true)
      try user.add(sku, 4)
      try expectProblem(
        user.order(1, version: "\"7-x\""), 412, "version_mismatch", hasCart: true)
      let key = uniqueText()
      let changed = try expectProblem(
        user.order(399, key: key), 409, "total_changed", pointer: "/expectedTotal", hasCart: true)
      #expect(changed["cart"]["totals"]["selected"] == 400)
      try shop.load([["sku": "\(sku)", "stock": 3]])
      let short = try expectProblem(user.order(400, key: key), 409, "cart_not_ready", hasCart: true)
      #expect(
        short["errors"][1]
          == ["pointer": "", "code": "insufficient_stock", "sku": "\(sku)", "requested": 4, "available": 3])
      try shop.load([["sku": "\(sku)", "stock": 4, "unitPrice": 120]])
      try expectProblem(user.order(400, key: key), 409, "total_changed")
      #expect(try user.cart()["version"] == 1)
      #expect(try user.order(480, key: key, ["cartVersion": 1]).status == 201)
    }

    @Test func namedLinesAreOrderedSelectedOrNot() throws {
      let user = shop.newUser()
      try user.add([("t-a", 1), ("t-b", 1), ("t-c", 2)])
      try user.select(["selected": false, "skus": ["t-b"]])
      let order = try user.placed(299, ["skus": ["t-b", "t-b"]])
      #expect(order["lines"].elements.map(\.["sku"].string) == ["t-b"])
      #expect(try user.cart().skus == ["t-a", "t-c"])
      try expectProblem(user.order(0, ["skus": []]), 409, "cart_empty")
    }

    @Test func limitsCountFormerOrders() throws {
      let sku = try shop.make("limited", price: 1, ["customerLimit": 5, "stock": 100])
      let user = shop.newUser()
      try user.add(sku, 3)
      let order = try user.placed(3)
      try user.add(sku, 3)
      let limited: JSON = ["code": "customer_limit", "sku": "\(sku)", "requested": 3, "limit": 5]
      // The cart knows only itself.
      #expect(try user.cart()["problems"] == [])
      #expect(
        try user.send("POST", "/v1/cart/validate").json == ["ok": false, "problems": [limited], "total": 3])
      let problem = try expectProblem(user.order(3), 409, "cart_not_ready")
      #expect(problem["errors"][1]["code"] == "customer_limit")
      let id = try #require(order["id"].string)
      for _ in 0..<2 {
        let answer = try user.cancel(id)
        #expect(answer.status == 200)
        #expect(answer.json == order.setting("status", "cancelled"))
        #expect(try user.cart().line(sku)["current"]["availableQuantity"] == 100)
      }
      _ = try user.placed(3)
      #expect(try user.send("GET", "/v1/orders?limit=1").json["orders"][0]["status"] == "placed")
      try expectProblem(shop.newUser().cancel(id), 404, "order_not_found")
    }

    @Test func theShopAcceptsAndCancels() throws {
      let sku = try shop.make("shop", price: 1, ["stock": 9])
      let user = shop.newUser()
      func place() throws -> String {
        try user.add(sku)
        return try #require(try user.placed(1)["id"].string)
      }
      let first = try place()
      #expect(try TestSystem.cartctl("order", "accept", first).status == 0)
      try expectProblem(user.cancel(first), 409, "not_cancellable", hasCart: true)
      #expect(try TestSystem.cartctl("order", "cancel", first).status == 1)
      let shown = try TestSystem.cartctl("order", "show", first, "--json")
      #expect(try JSON(Array(shown.output.utf8))["status"] == "accepted")
      let second = try place()
      #expect(try TestSystem.cartctl("order", "cancel", second).status == 0)
      #expect(try TestSystem.cartctl("order", "accept", second).status == 1)
      #expect(try user.send("GET", "/v1/orders/\(second)").json["status"] == "cancelled")
      #expect(try TestSystem.cartctl("order", "show", "0123456789abcdef").status == 1)
      try user.add(sku)
      #expect(try user.cart().line(sku)["current"]["availableQuantity"] == 8)
    }

    @Test func aGuestsOrdersComeAlongAtTheLogin() throws {
      let sku = try shop.make("guest", price: 1, ["customerLimit": 5])
      let guest = shop.newGuest()
      try guest.add(sku, 4)
      let order = try guest.placed(4)
      let id = try #require(order["id"].string)
      #expect(try guest.send("GET", "/v1/orders").json["orders"].elements.count == 1)
      let user = shop.newUser()
      let spent = guest.cookie
      user.cookie = spent
      #expect(try user.send("GET", "/v1/orders/\(id)").status == 200)
      #expect(user.cookie == nil)
      try user.add(sku, 2)
      try expectProblem(user.order(2), 409, "cart_not_ready")
      let other = shop.newGuest()
      other.cookie = spent
      try expectProblem(other.send("GET", "/v1/orders/\(id)"), 404, "order_not_found")
      #expect(try other.send("GET", "/v1/orders").json["orders"] == [])
    }

    @Test func pagesFollowEachOther() throws {
      let user = shop.newUser()
      var placed: [String?] = []
      for _ in 0..<5 {
        try user.add("t-free")
        placed.append(try user.placed(0)["id"].string)
      }
      var found: [String?] = []
      var next: String? = ""
      while let cursor = next {
        let page = try user.send("GET", "/v1/orders?limit=2" + (cursor.isEmpty ? "" : "&before=\(cursor)")).json
        found += page["orders"].elements.map(\.["id"].string)
        next = page["next"].string
        if found.count > 5 { break }
      }
      #expect(found == placed.reversed())
    }
  }
}
