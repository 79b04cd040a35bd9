import CartAPI
import CartDomain
import Testing

/// `ETag`, `If-None-Match` and `If-Match`.
@Suite struct Conditional {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A")
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
  }

  private func get(_ headers: Shop.Headers = [:], view: String = "") -> Answer {
    shop.send("GET", "/v1/cart" + view, user: "u", headers: headers)
  }

  @Test func theTagHasTheVersionAndFollowsTheBody() throws {
    let tag = try #require(get()["ETag"])
    #expect(tag.wholeMatch(of: /"1-[0-9a-f]{1,16}"/) != nil)
    #expect(get()["ETag"] == tag)
    #expect(get(view: "?view=summary")["ETag"] != tag)
    try shop.sell("A", price: 101)
    let dearer = try #require(get()["ETag"])
    #expect(dearer != tag)
    #expect(dearer.hasPrefix("\"1-"))
    try shop.sell("A", price: 100)
    #expect(get()["ETag"] == tag)
    let change = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    #expect(change["ETag"] == get()["ETag"])
    #expect(change["ETag"]?.hasPrefix("\"2-") == true)
  }

  @Test func whatTheClientHasIs304() throws {
    let tag = try #require(get()["ETag"])
    let bare = tag.dropFirst().dropLast()
    for value in [tag, "W/\(tag)", "\"\(bare)-gzip\"", "W/\"\(bare)-gzip\"", "\"x\",\t\(tag)", "*", " * "] {
      for method in ["GET", "HEAD"] {
        let answer = shop.send(method, "/v1/cart", user: "u", headers: [.ifNoneMatch: value])
        #expect(answer.status == 304, "\(value)")
        #expect(answer.response.body == [])
        #expect(answer["ETag"] == tag)
        #expect(answer["Cache-Control"] == "private, no-cache")
        #expect(answer["Content-Type"] == nil)
      }
    }
    for value in [String(bare), "\"1\"", "\"1-x\"", "\"\"", "\"", "W/", "w/\(tag)", "garbage", ",", "\"*\"", "-gzip"] {
      #expect(get([.ifNoneMatch: value]).status == 200, "\(value)")
    }
    // A change is never answered so.
    #expect(shop.send("DELETE", "/v1/cart/lines/X", user: "u", headers: [.ifNoneMatch: "*"]).status == 200)
  }

  @Test func anEmptyCartHasATag() throws {
    let tag = try #require(shop.send("GET", "/v1/cart")["ETag"])
    #expect(tag.hasPrefix("\"0-"))
    #expect(shop.send("GET", "/v1/cart", headers: [.ifNoneMatch: tag]).status == 304)
  }

  @Test func a304RenewsTheCookie() throws {
    let pass = try #require(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)["Guest-Cart-Id"])
    shop.clock.advance(days: 1)
    let answer = shop.send("GET", "/v1/cart", headers: [.guestCartID: pass, .ifNoneMatch: "*"])
    #expect(answer.status == 304)
    #expect(answer["Set-Cookie"]?.hasPrefix("guestCartId=\(pass); ") == true)
  }

  static let changes: [(method: String, target: String, body: String?)] = [
    ("POST", "/v1/cart/lines", #"{"sku":"A"}"#), ("PATCH", "/v1/cart/lines/A", #"{"quantity":9}"#),
    ("DELETE", "/v1/cart/lines/A", nil), ("DELETE", "/v1/cart/lines?sku=A", nil), ("DELETE", "/v1/cart", nil),
    ("PUT", "/v1/cart/selection", #"{"selected":false,"all":true}"#), ("POST", "/v1/cart/prices/acknowledge", "{}"),
  ]

  @Test(arguments: [
    "\"0-x\"", "\"2\"", "W/\"2-x\"", "\"0-x\", \"2-y\"", "\"20000000000000000000-x\"", "garbage", "\"\"", "\"abc\"",
    "1",
    "\"-1-x\"", "\"1", "1-x\"", "\"+1-x\"", "\"1x-y\"", "\"*\"", ",", "\"1 -x\"",
  ])
  func anotherVersionIsRefusedByEveryChange(value: String) {
    let before = get().json
    for change in Self.changes {
      let answer = shop.send(change.method, change.target, change.body, user: "u", headers: [.ifMatch: value])
      expectProblem(answer, 412, "version_mismatch", hasCart: true)
      #expect(answer.json["cart"] == before)
    }
    #expect(get().json == before)
  }

  @Test(arguments: ["\"1-anything\"", "\"1\"", "W/\"1-x\"", "\"1-x-gzip\"", "\"99-x\" ,\"1-x\"", "*"])
  func theVersionAloneIsCompared(value: String) {
    let answer = shop.send("DELETE", "/v1/cart", user: "u", headers: [.ifMatch: value])
    #expect(answer.status == 200)
    #expect(answer.json["version"] == 2)
  }

  @Test func somebodyWithoutACartHasVersionZero() throws {
    for change in Self.changes {
      for (headers, user) in [(Shop.Headers(), ""), ([.guestCartID: "forged"], ""), ([:], "new")] {
        let written = headers.merging([.ifMatch: "*"]) { first, _ in first }
        let answer = shop.send(change.method, change.target, change.body, user: user, headers: written)
        expectProblem(answer, 412, "version_mismatch", hasCart: true)
        #expect(answer.json["cart"]["version"] == 0)
      }
    }
    let first = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: [.ifMatch: "\"0-x\""])
    #expect(first.status == 200)
    #expect(first["Set-Cookie"] != nil)
  }
}
