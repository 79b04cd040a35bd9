import TestSupport
import Testing

/// The requests that change a cart, each of which would have an effect on one of some "t-a".
let changes: [(method: String, target: String, body: JSON?)] = [
  ("POST", "/v1/cart/lines", ["sku": "t-a"]), ("PATCH", "/v1/cart/lines/t-a", ["quantity": 9]),
  ("DELETE", "/v1/cart/lines/t-a", nil), ("DELETE", "/v1/cart/lines?sku=t-a", nil), ("DELETE", "/v1/cart", nil),
  ("PUT", "/v1/cart/selection", ["selected": false, "all": true]), ("POST", "/v1/cart/prices/acknowledge", [:]),
]

/// `ETag`, `If-None-Match` and `If-Match`.
@Suite struct Conditional {
  let shop: any ShopUnderTest
  let user: Shopper

  init() throws {
    shop = try openShop()
    user = shop.newUser()
    try user.add("t-a")
  }

  private func get(_ condition: String? = nil, view: String = "", method: String = "GET") throws -> Answer {
    try user.send(method, "/v1/cart" + view, headers: condition.map { ["If-None-Match": $0] } ?? [:])
  }

  @Test func theTagHasTheVersionAndFollowsTheBody() throws {
    let tag = try #require(try get()["ETag"])
    #expect(tag.wholeMatch(of: /"1-[0-9a-f]{1,16}"/) != nil)
    #expect(try get()["ETag"] == tag)
    #expect(try get(view: "?view=summary")["ETag"] != tag)
    let change = try user.send("POST", "/v1/cart/lines", ["sku": "t-a"])
    #expect(try change["ETag"] == get()["ETag"])
    #expect(change["ETag"]?.hasPrefix("\"2-") == true)
    #expect(try get(tag).status == 200)
  }

  @Test func theTagFollowsThePriceThoughTheVersionStays() throws {
    let sku = try shop.make("tag", price: 100)
    let user = shop.newUser()
    try user.add(sku)
    let tag = try #require(try user.send("GET", "/v1/cart")["ETag"])
    try shop.load([["sku": "\(sku)", "unitPrice": 120]])
    let answer = try eventually(within: 1, { try user.send("GET", "/v1/cart") }, until: { $0["ETag"] != tag })
    #expect(answer["ETag"]?.hasPrefix("\"1-") == true)
    #expect(answer.json["version"] == 1)
    #expect(try user.send("GET", "/v1/cart", headers: ["If-None-Match": tag]).status == 200)
    try shop.load([["sku": "\(sku)", "unitPrice": 100]])
    _ = try eventually(within: 1, { try user.send("GET", "/v1/cart") }, until: { $0["ETag"] == tag })
    // For a change the version is what matters, and it is the same.
    let late = try #require(answer["ETag"])
    let change = try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: ["If-Match": late])
    #expect(change.status == 200)
  }

  @Test func whatTheClientHasIs304() throws {
    let tag = try #require(try get()["ETag"])
    let bare = tag.dropFirst().dropLast()
    for value in [
      tag, "W/\(tag)", "\"\(bare)-gzip\"", "W/\"\(bare)-gzip\"", "\"x\",\t\(tag)", "\"1-x\" , W/\(tag)", "*", " * ",
    ] {
      for method in ["GET", "HEAD"] {
        let answer = try get(value, method: method)
        #expect(answer.status == 304, "\(value)")
        #expect(answer.body == [])
        #expect(answer["ETag"] == tag)
        #expect(answer["Cache-Control"] == "private, no-cache")
        #expect(answer["Content-Type"] == nil)
        #expect(answer["Content-Length"] == nil)
      }
    }
    // The version alone is not enough: the hash counts too.
    for value in [
      String(bare), "\"1\"", "\"1-x\"", "\"2-x\"", "\"\"", "\"", "W/", "w/\(tag)", "garbage", "W/garbage", ",",
      "\"*\"", "-gzip",
    ] {
      #expect(try get(value).status == 200, "\(value)")
    }
    // A change is never answered so.
    #expect(try user.send("DELETE", "/v1/cart/lines/X", headers: ["If-None-Match": "*"]).status == 200)
  }

  @Test func anEmptyCartHasATagToo() throws {
    let guest = shop.newGuest()
    let tag = try #require(try guest.send("GET", "/v1/cart")["ETag"])
    #expect(tag.hasPrefix("\"0-"))
    #expect(try guest.send("GET", "/v1/cart", headers: ["If-None-Match": tag]).status == 304)
  }

  /// What can't be read is not ignored.
  @Test(arguments: [
    "\"0-x\"", "\"2\"", "W/\"2-x\"", "\"0-x\", \"2-y\"", "\"20000000000000000000-x\"", "garbage", "\"\"", "\"abc\"",
    "1", "\"-1-x\"", "\"1", "1-x\"", "\"+1-x\"", "\"1x-y\"", "\"*\"", ",", "\"1 -x\"",
  ])
  func anotherVersionIsRefusedByEveryChange(value: String) throws {
    let before = try user.cart()
    for change in changes {
      let answer = try user.send(change.method, change.target, change.body, headers: ["If-Match": value])
      #expect(expectProblem(answer, 412, "version_mismatch", hasCart: true)["cart"] == before)
    }
    #expect(try user.cart() == before)
  }

  @Test(arguments: ["\"1-anything\"", "\"1\"", "W/\"1-x\"", "\"1-x-gzip\"", "\"99-x\" ,\"1-x\"", "*"])
  func theVersionAloneIsCompared(value: String) throws {
    let answer = try user.send("DELETE", "/v1/cart", headers: ["If-Match": value])
    #expect(answer.status == 200)
    #expect(answer.json["version"] == 2)
  }

  @Test func somebodyWithoutACartHasVersionZero() throws {
    let forger = shop.newGuest()
    forger.header = "forged"
    for shopper in [shop.newGuest(), forger, shop.newUser()] {
      for change in changes {
        let answer = try shopper.send(change.method, change.target, change.body, headers: ["If-Match": "*"])
        #expect(expectProblem(answer, 412, "version_mismatch", hasCart: true)["cart"]["version"] == 0)
      }
      let first = try shopper.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: ["If-Match": "\"0-x\""])
      #expect(first.status == 200)
      #expect((first["Set-Cookie"] != nil) == (shopper.user == nil))
      shopper.header = nil
      // Emptied is not unwritten.
      try shopper.clear()
      #expect(try shopper.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: ["If-Match": "*"]).status == 200)
    }
  }

  @Test func twoClientsWithOneVersionDoNotBothWin() throws {
    let laptop = shop.user(user.user)
    let condition: KeyValuePairs = ["If-Match": try #require(try get()["ETag"])]
    #expect(try user.send("PATCH", linePath("t-a"), ["quantity": 5], headers: condition).status == 200)
    let second = try laptop.send("PATCH", linePath("t-a"), ["quantity": 7], headers: condition)
    expectProblem(second, 412, "version_mismatch", hasCart: true)
    #expect(try laptop.cart().line("t-a")["quantity"] == 5)
  }
}
