import Foundation
import Testing

extension EndToEnd {
  /// GET, HEAD, OPTIONS, the summary and what the headers of an answer say.
  @Suite struct Reading {
    let products = Result { try SharedProducts.get() }

    @Test func anEmptyCart() throws {
      let answer = try Shopper.newGuest().send("GET", "/v1/cart")
      #expect(answer.status == 200)
      #expect(answer["Content-Type"]?.hasPrefix("application/json") == true)
      let expected: JSON = [
        "version": 0, "owner": "guest", "currency": nil, "minorUnit": nil, "expiresAt": nil, "lines": [],
        "merchants": [], "counts": ["lines": 0, "quantity": 0, "selectedLines": 0, "selectedQuantity": 0],
        "totals": ["all": 0, "selected": 0], "problems": [],
      ]
      #expect(try answer.json == expected)
    }

    @Test func aCartWithALine() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let before = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
      let cart = try user.add(products.a, 2)
      #expect(try user.cart() == cart)
      #expect(cart["version"] == 1)
      #expect(cart["currency"] == "GBP")
      #expect(cart["minorUnit"] == 2)
      let line = cart["lines"][0]
      let addedAt = try Date(#require(line["addedAt"].string), strategy: .iso8601)
      #expect((before...Date()).contains(addedAt))
      let expected: JSON = [
        "sku": "\(products.a)", "merchantId": "m1", "quantity": 2, "selected": true, "addedAt": line["addedAt"],
        "snapshot": ["name": "Name of \(products.a)", "picture": "/p/a.jpg", "unitPrice": 255],
        "current": ["unitPrice": 255, "purchasable": true, "availableQuantity": nil], "priceChange": nil,
        "extraData": [:], "lineTotal": 510,
      ]
      #expect(line == expected)
      let merchants: JSON = [["merchantId": "m1", "selection": "all", "lines": 1, "selectedTotal": 510]]
      #expect(cart["merchants"] == merchants)
      #expect(cart["problems"] == [])
    }

    @Test func theMerchantHasADefault() throws {
      let products = try products.get()
      #expect(try Shopper.newUser().add(products.houseBrand)["lines"][0]["merchantId"] == "main")
    }

    @Test func theSummaryHasThreeKeys() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let cart = try user.add(products.a, 2)
      let expected: JSON = ["version": 1, "counts": cart["counts"], "totals": cart["totals"]]
      #expect(try user.send("GET", "/v1/cart?view=summary").json == expected)
      let change = try user.send("POST", "/v1/cart/lines?view=summary", ["sku": "\(products.a)"])
      #expect(try change.json.keys == ["version", "counts", "totals"])
      #expect(try change.json["version"] == 2)
      let edits = [
        try user.send("PATCH", linePath(products.a) + "?view=summary", ["quantity": 7]),
        try user.send("PUT", "/v1/cart/selection?view=summary", ["selected": false, "all": true]),
        try user.send("DELETE", "/v1/cart?view=summary"),
      ]
      for answer in edits { #expect(try answer.json.keys == ["version", "counts", "totals"]) }
      let empty: JSON = [
        "version": 0, "counts": ["lines": 0, "quantity": 0, "selectedLines": 0, "selectedQuantity": 0],
        "totals": ["all": 0, "selected": 0],
      ]
      #expect(try Shopper.newGuest().send("GET", "/v1/cart?view=summary").json == empty)
    }

    @Test func unknownQueryParametersAreIgnored() throws {
      for target in ["/v1/cart?utm_source=x&&=&a=b=c", "/v1/cart?", "/v1/cart?expand=all"] {
        let answer = try Shopper.newGuest().send("GET", target)
        #expect(answer.status == 200, "\(target)")
        #expect(try answer.json["lines"] == [], "\(target)")
      }
    }

    @Test func aViewThatIsNoneIsRefused() throws {
      try expectProblem(Shopper.newGuest().send("GET", "/v1/cart?view=everything"), 422, "invalid_field")
    }

    @Test func everyAnswerCarriesItsHeaders() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let get = try user.send("GET", "/v1/cart")
      #expect(get["Cache-Control"] == "private, no-cache")
      let post = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"])
      #expect(post["Cache-Control"] == "no-store")
      for answer in [get, post] {
        #expect(answer["Content-Length"] == String(answer.body.count))
        #expect(answer["ETag"]?.wholeMatch(of: /"\d+-[A-Za-z0-9_-]+"/) != nil)
        #expect(answer["Request-Id"]?.isEmpty == false)
        #expect(answer["Access-Control-Allow-Origin"] == nil)
        for name in ["ETag", "Cache-Control", "Request-Id", "Content-Length", "Content-Type"] {
          #expect(answer.all(name).count == 1, "\(name)")
        }
      }
      #expect(get["Request-Id"] != post["Request-Id"])
      #expect(post["ETag"]?.hasPrefix("\"1-") == true)
    }

    @Test func headIsGetWithoutABody() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      for target in ["/v1/cart", "/v1/cart?view=summary"] {
        let get = try user.send("GET", target)
        let head = try user.send("HEAD", target)
        #expect(head.status == 200)
        #expect(head.body == [])
        for name in ["Content-Length", "Content-Type", "ETag", "Cache-Control"] {
          #expect(head[name] == get[name], "\(name)")
        }
        // The connection is still in step: nothing of a body followed.
        #expect(try user.send("GET", "/v1/cart").status == 200)
      }
    }

    @Test(arguments: [
      ("/v1/cart", ["GET", "HEAD", "DELETE", "OPTIONS"]), ("/v1/cart/lines", ["POST", "DELETE", "OPTIONS"]),
      ("/v1/cart/lines/x", ["PATCH", "DELETE", "OPTIONS"]), ("/v1/cart/selection", ["PUT", "OPTIONS"]),
      ("/v1/cart/prices/acknowledge", ["POST", "OPTIONS"]),
    ])
    func optionsNamesTheMethods(path: String, methods: [String]) throws {
      let answer = try Shopper.newGuest().send("OPTIONS", path)
      #expect(answer.status == 204)
      #expect(answer.body == [])
      #expect(Set(try #require(answer["Allow"]).components(separatedBy: ", ")) == Set(methods))
      #expect(answer["Content-Length"] == nil)
      for header in answer.headers { #expect(!header.name.lowercased().hasPrefix("access-control-")) }
    }

    @Test func optionsOfNothingIsNotFound() throws {
      try expectProblem(Shopper.newGuest().send("OPTIONS", "/v1/nothing"), 404, "not_found")
    }

    @Test func requestsMayBePipelined() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let connection = user.connection
      let summary = HTTPRequest(method: "GET", target: "/v1/cart?view=summary", headers: user.identity)
      let whole = HTTPRequest(method: "GET", target: "/v1/cart", headers: user.identity)
      try connection.write(summary.bytes(host: connection.host) + whole.bytes(host: connection.host))
      #expect(try connection.readResponse().json.keys.count == 3)
      #expect(try connection.readResponse().json.keys == CartShape.keys)
    }
  }
}
