import TestSupport
import Testing

/// GET, HEAD, OPTIONS, the summary and what the headers of an answer say.
@Suite struct Reading {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func anEmptyCart() throws {
    let answer = try shop.newGuest().send("GET", "/v1/cart")
    #expect(answer.status == 200)
    #expect(answer["Content-Type"]?.hasPrefix("application/json") == true)
    #expect(
      answer.text == """
        {"version":0,"owner":"guest","currency":null,"minorUnit":null,"expiresAt":null,"lines":[],"merchants":[],\
        "counts":{"lines":0,"quantity":0,"selectedLines":0,"selectedQuantity":0},"totals":{"all":0,"selected":0},\
        "problems":[]}
        """)
  }

  @Test func aCartWithALine() throws {
    let user = shop.newUser()
    let cart = try user.add("t-a", 2)
    #expect(try user.cart() == cart)
    #expect(cart["version"] == 1)
    #expect(cart["currency"] == "GBP")
    #expect(cart["minorUnit"] == 2)
    let line = cart["lines"][0]
    let expected: JSON = [
      "sku": "t-a", "merchantId": "m1", "quantity": 2, "selected": true, "addedAt": line["addedAt"],
      "snapshot": ["name": "Name of t-a", "picture": "/p/a.jpg", "unitPrice": 255],
      "current": ["unitPrice": 255, "purchasable": true, "availableQuantity": nil], "priceChange": nil,
      "extraData": [:], "lineTotal": 510,
    ]
    #expect(line == expected)
    let merchants: JSON = [["merchantId": "m1", "selection": "all", "lines": 1, "selectedTotal": 510]]
    #expect(cart["merchants"] == merchants)
    #expect(cart["problems"] == [])
  }

  @Test func theMerchantHasADefault() throws {
    #expect(try shop.newUser().add("t-house")["lines"][0]["merchantId"] == "main")
  }

  @Test func theSummaryHasThreeKeys() throws {
    let user = shop.newUser()
    let cart = try user.add("t-a", 2)
    let expected: JSON = ["version": 1, "counts": cart["counts"], "totals": cart["totals"]]
    #expect(try user.send("GET", "/v1/cart?view=summary").json == expected)
    let change = try user.send("POST", "/v1/cart/lines?view=summary", ["sku": "t-a"])
    #expect(change.json.keys == ["version", "counts", "totals"])
    #expect(change.json["version"] == 2)
    let edits = [
      try user.send("PATCH", linePath("t-a") + "?view=summary", ["quantity": 7]),
      try user.send("PUT", "/v1/cart/selection?view=summary", ["selected": false, "all": true]),
      try user.send("DELETE", "/v1/cart?view=summary"),
    ]
    for answer in edits { #expect(answer.json.keys == ["version", "counts", "totals"]) }
    let empty: JSON = [
      "version": 0, "counts": ["lines": 0, "quantity": 0, "selectedLines": 0, "selectedQuantity": 0],
      "totals": ["all": 0, "selected": 0],
    ]
    #expect(try shop.newGuest().send("GET", "/v1/cart?view=summary").json == empty)
  }

  @Test func unknownQueryParametersAreIgnored() throws {
    for target in [
      "/v1/cart?utm_source=x&&=&a=b=c", "/v1/cart?", "/v1/cart?expand=all", "/v1/cart?%zz", "/v1/cart?/x//",
      "/v1/cart?view=summary&%ff=%zz",
    ] {
      let answer = try shop.newGuest().send("GET", target)
      #expect(answer.status == 200, "\(target)")
      #expect(answer.json["version"] == 0, "\(target)")
    }
  }

  @Test(arguments: ["", "=", "=everything", "=summary&view=summary", "=%ff"])
  func aViewThatIsNoneIsRefused(view: String) throws {
    let user = shop.newUser()
    try expectProblem(user.send("GET", "/v1/cart?view" + view), 422, "invalid_field")
    try expectProblem(user.send("POST", "/v1/cart/lines?view" + view, ["sku": "t-a"]), 422, "invalid_field")
    #expect(try user.cart()["version"] == 0)
  }

  @Test func everyAnswerCarriesItsHeaders() throws {
    let user = shop.newUser()
    let get = try user.send("GET", "/v1/cart")
    #expect(get["Cache-Control"] == "private, no-cache")
    let post = try user.send("POST", "/v1/cart/lines", ["sku": "t-a"])
    #expect(post["Cache-Control"] == "no-store")
    for answer in [get, post] {
      #expect(answer["ETag"]?.wholeMatch(of: /"\d+-[A-Za-z0-9_-]+"/) != nil)
      #expect(answer["Request-Id"]?.isEmpty == false)
      #expect(answer["Access-Control-Allow-Origin"] == nil)
      for name in ["ETag", "Cache-Control", "Request-Id", "Content-Type"] {
        #expect(answer.all(name).count == 1, "\(name)")
      }
    }
    #expect(get["Request-Id"] != post["Request-Id"])
    #expect(post["ETag"]?.hasPrefix("\"1-") == true)
  }

  @Test func headIsGetWithoutABody() throws {
    let user = shop.newUser()
    try user.add("t-a")
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
    ("/v1/cart", "GET, HEAD, DELETE, OPTIONS"), ("/v1/cart/lines", "POST, DELETE, OPTIONS"),
    ("/v1/cart/lines/x", "PATCH, DELETE, OPTIONS"), ("/v1/cart/selection", "PUT, OPTIONS"),
    ("/v1/cart/prices/acknowledge", "POST, OPTIONS"), ("/v1/cart/validate", "POST, OPTIONS"),
  ])
  func eachPathHasItsMethods(path: String, allowed: String) throws {
    // Neither who asks nor from where is looked at.
    let stranger = shop.user(String(repeating: "x", count: 129))
    let known = Set(allowed.split(separator: ", ").map(String.init))
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"] where !known.contains(method) {
      let answer = try stranger.send(method, path)
      #expect(answer.status == 405)
      if method != "HEAD" { expectProblem(answer, 405, "method_not_allowed") }
      #expect(answer["Allow"] == allowed)
    }
    let options = try stranger.send("OPTIONS", path, headers: ["Origin": "https://evil.example"])
    #expect(options.status == 204)
    #expect(options["Allow"] == allowed)
    #expect(options.body == [])
    #expect(options["Content-Length"] == nil)
    #expect(options["Request-Id"]?.isEmpty == false)
    for header in options.headers { #expect(!header.name.lowercased().hasPrefix("access-control-")) }
  }

  @Test func optionsOfNothingIsNotFound() throws {
    try expectProblem(shop.newGuest().send("OPTIONS", "/v1/nothing"), 404, "not_found")
  }
}
