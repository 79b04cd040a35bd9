import TestSupport
import Testing

/// The user that the web server vouches for.
@Suite struct Users {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func aUserNeedsNoGuestCookieAndHasNoEnd() throws {
    let answer = try shop.newUser().send("POST", "/v1/cart/lines", ["sku": "t-a"])
    #expect(answer.status == 200)
    #expect(answer["Set-Cookie"] == nil)
    #expect(answer["Guest-Cart-Id"] == nil)
    #expect(answer.json["owner"] == "user")
    #expect(answer.json["expiresAt"] == .null)
  }

  @Test func anUnknownUsersCartIsEmptyAndTheirs() throws {
    let cart = try shop.newUser().cart()
    #expect(cart["owner"] == "user")
    #expect(cart["version"] == 0)
  }

  @Test func oneUserOnTwoConnectionsHasOneCart() throws {
    let phone = shop.newUser()
    let laptop = shop.user(phone.user)
    try phone.add("t-a")
    try laptop.add("t-b")
    #expect(try phone.cart().skus == ["t-a", "t-b"])
    #expect(try shop.newUser().cart().skus == [])
  }

  @Test(arguments: [
    "50%off", "{tag}", "a{b}c%7Bd%7D", "Zoë", "用户 Zoë%{}", "a:b|c", "user@example.org", "..", "0",
    String(repeating: "x", count: 114),
  ])
  func anIdIsTakenAsItIs(name: String) throws {
    // The longest has 128 bytes.
    let unique = uniqueText() + "-" + name
    try shop.user(unique).add("t-a", 2)
    #expect(try shop.user(unique).cart().line("t-a")["quantity"] == 2)
    #expect(try shop.user(String(unique.dropLast())).cart().skus == [])
  }

  @Test func anEmptyUserIsNone() throws {
    #expect(try shop.user("").cart()["owner"] == "guest")
  }

  @Test(arguments: [
    [UInt8](repeating: 0x78, count: 129), Array("a\u{1}b".utf8), [0x61, 0xFF, 0x62], [0xC0, 0x80], [0x61, 0x7F],
    Array("a\u{85}".utf8), [0xED, 0xA0, 0x80],
  ])
  func anInvalidUserIsRefused(id: [UInt8]) throws {
    for (method, target, body) in [("GET", "/v1/cart", nil), ("POST", "/v1/cart/lines", #"{"sku":"t-a"}"#)]
      as [(String, String, String?)]
    {
      var request = Request(
        method, target, headers: body == nil ? [:] : ["Content-Type": "application/json"],
        body: body.map { Array($0.utf8) })
      request.user = id
      let answer = try shop.connect().send(request)
      expectProblem(answer, 401, "bad_token")
      #expect(answer["WWW-Authenticate"] == "Bearer")
    }
  }

  @Test func noClientHeaderSetsTheUser() throws {
    let user = shop.newUser()
    try user.add("t-a")
    let id = try #require(user.user)
    for name in [
      "CART_USER", "Cart-User", "CART-USER", "X-Cart-User", "Remote-User", "REMOTE_USER", "X-Remote-User", "X-User",
      "Http-Cart-User",
    ] {
      let cart = try shop.newGuest().send("GET", "/v1/cart", headers: [name: id]).json
      #expect(cart["owner"] == "guest", "\(name)")
      #expect(cart.skus == [], "\(name)")
    }
  }

  @Test func otherCredentialsAreIgnored() throws {
    for value in ["Basic dXNlcjpwYXNz", "Bearer abc.def.ghi", "Bearer", "Negotiate"] {
      let answer = try shop.newGuest().send("GET", "/v1/cart", headers: ["Authorization": value])
      #expect(answer.status == 200, "\(value)")
      #expect(answer.json["owner"] == "guest")
    }
  }
}
