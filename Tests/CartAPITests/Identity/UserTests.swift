import CartAPI
import Testing

/// The user that the web server vouches for.
@Suite struct Users {
  @Test func aUserHasOneCartAndNoPass() throws {
    let shop = try Shop()
    try shop.sell("A")
    let answer = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "用户 Zoë%{}")
    #expect(answer.json["owner"] == "user")
    #expect(answer["Set-Cookie"] == nil)
    #expect(shop.send("GET", "/v1/cart", user: "用户 Zoë%{}").skus == ["A"])
    #expect(shop.send("GET", "/v1/cart", user: "用户 Zoë").skus == [])
    #expect(shop.send("GET", "/v1/cart", user: String(repeating: "x", count: 128)).json["owner"] == "user")
  }

  @Test func aUserComesBeforeAGuest() throws {
    let shop = try Shop()
    try shop.sell("A")
    let pass = try #require(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)["Guest-Cart-Id"])
    shop.clock.advance(days: 2)
    let answer = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u", headers: [.guestCartID: pass])
    #expect(answer.json["owner"] == "user")
    #expect(answer["Guest-Cart-Id"] == nil)
    #expect(answer["Set-Cookie"]?.hasPrefix("guestCartId=; Path=/; Max-Age=0") == true)
  }

  @Test(arguments: [
    [UInt8](repeating: 0x78, count: 129), Array("a\u{1}b".utf8), [0x61, 0xFF, 0x62], [0xC0, 0x80], [0x61, 0x7F],
    Array("a\u{85}".utf8), [0xED, 0xA0, 0x80], [0],
  ])
  func anInvalidUserIsRefused(id: [UInt8]) throws {
    let shop = try Shop()
    let answer = Answer(
      shop.service.respond(
        to: HTTPRequest(method: "GET", target: Array("/v1/cart".utf8), cartUser: id, requestID: "r-1")))
    expectProblem(answer, 401, "bad_token")
    #expect(answer["WWW-Authenticate"] == "Bearer")
    #expect(shop.store.calls == 0)
  }
}
