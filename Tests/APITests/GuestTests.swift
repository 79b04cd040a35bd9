import TestSupport
import Testing

/// The cookie `guestCartId` and its twin, the header `Guest-Cart-Id`.
@Suite struct Guests {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  /// A guest with one of a product.
  private func guest(_ sku: String = "t-a") throws -> Shopper {
    let guest = shop.newGuest()
    try guest.add(sku)
    return guest
  }

  @Test func theFirstChangeIssuesTheCookieAndTheHeader() throws {
    let answer = try shop.newGuest().send("POST", "/v1/cart/lines", ["sku": "t-a"])
    #expect(answer.status == 200)
    let pass = try #require(answer["Guest-Cart-Id"])
    #expect(answer.all("Set-Cookie") == ["guestCartId=\(pass); Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"])
    // 128 bits take 22 characters of base64.
    #expect(pass.split(separator: ".", omittingEmptySubsequences: false).map(\.utf8.count) == [22, 22])
    #expect(answer.json["owner"] == "guest")
    #expect(try guest().cookie != pass)
  }

  @Test func whatChangesNothingIssuesNothing() throws {
    let guest = shop.newGuest()
    let requests: [(String, String, JSON?)] = [
      ("GET", "/v1/cart", nil), ("GET", "/v1/cart?view=summary", nil), ("HEAD", "/v1/cart", nil),
      ("DELETE", "/v1/cart", nil), ("DELETE", "/v1/cart/lines/t-a", nil),
      ("DELETE", "/v1/cart/lines?selected=true", nil),
      ("PUT", "/v1/cart/selection", ["selected": true, "all": true]), ("POST", "/v1/cart/prices/acknowledge", [:]),
      ("POST", "/v1/cart/validate", nil),
    ]
    for (method, target, body) in requests {
      let answer = try guest.send(method, target, body)
      #expect(answer.status == 200)
      #expect(answer["Set-Cookie"] == nil)
      #expect(answer["Guest-Cart-Id"] == nil)
      #expect([0, .absent].contains(answer.json["version"]))
      #expect(["guest", .absent].contains(answer.json["owner"]))
    }
    try expectProblem(guest.send("PATCH", "/v1/cart/lines/t-a", ["delta": 1]), 404, "line_not_found", hasCart: true)
    try expectProblem(guest.send("POST", "/v1/cart/lines", ["sku": "t-nothing"]), 422, "unknown_sku")
  }

  @Test func theCookieIsNotRenewedOnTheSameDay() throws {
    let guest = try guest()
    for answer in [
      try guest.send("GET", "/v1/cart"), try guest.send("POST", "/v1/cart/lines", ["sku": "t-a"]),
    ] {
      #expect(answer.status == 200)
      #expect(answer["Set-Cookie"] == nil)
    }
  }

  @Test func anEmptiedCartHasNoEnd() throws {
    let cart = try guest().clear()
    #expect(cart["version"] == 2)
    for key in ["currency", "minorUnit", "expiresAt"] { #expect(cart[key] == .null) }
  }

  @Test func theHeaderServesLikeTheCookie() throws {
    let guest = try guest()
    let app = shop.newGuest()
    app.header = guest.cookie
    #expect(try app.cart().line("t-a")["quantity"] == 1)
    try app.add("t-a")
    #expect(try guest.cart().line("t-a")["quantity"] == 2)
  }

  @Test func theHeaderWinsOverTheCookie() throws {
    let (first, second) = (try guest(), try guest("t-b"))
    let both = shop.newGuest()
    both.cookie = first.cookie
    both.header = second.cookie
    #expect(try both.cart().skus == ["t-b"])
    try both.remove("t-b")
    #expect(try second.cart().skus == [])
    #expect(try first.cart().skus == ["t-a"])
    // A header that is forged hides no cookie.
    both.header = "forged"
    #expect(try both.cart().skus == ["t-a"])
  }

  @Test func theFirstValidCookieOfSeveralCounts() throws {
    let (value, other) = (try #require(try guest().cookie), try #require(try guest("t-b").cookie))
    func send(_ cookies: String) throws -> Answer {
      try shop.newGuest().send("GET", "/v1/cart", headers: ["Cookie": cookies])
    }
    for line in [
      "guestCartId=\(value); guestCartId=\(other)", "guestCartId=forged.value; guestCartId=; guestCartId=\(value)",
      "guestCartId=; theme=dark; guestCartId=\(value)", "theme=dark;guestCartId=\(value)",
      "xguestCartId=\(other); guestCartId=\(value); guestCartIdx=\(other)", "a=b; guestCartId=\(value) ;c",
      "guestCartId=\"\(value)\"", "a;\tguestCartId = \(value)",
    ] {
      let answer = try send(line)
      #expect(answer.skus == ["t-a"], "\(line)")
      #expect(answer["Set-Cookie"] == nil)
    }
    for line in ["xguestCartId=\(value)", "guestCartIdx=\(value)", "GuestCartId=\(value)", "guestCartId=\(value)x"] {
      #expect(try send(line).skus == [], "\(line)")
    }
  }

  @Test func aForgedValueIsNoGuest() throws {
    let guest = try guest()
    let value = try #require(guest.cookie)
    for forged in forgeries(of: value) {
      let stranger = shop.newGuest()
      stranger.cookie = forged
      #expect(try stranger.cart()["version"] == 0, "\(forged)")
      let change = try stranger.send("POST", "/v1/cart/lines", ["sku": "t-b"])
      #expect(change["Set-Cookie"] != nil, "\(forged)")
      #expect(stranger.cookie != forged && stranger.cookie != value)
      #expect(change.skus == ["t-b"])
      let app = shop.newGuest()
      app.header = forged
      #expect(try app.cart()["version"] == 0, "\(forged)")
    }
    #expect(try guest.cart().skus == ["t-a"])
  }
}
