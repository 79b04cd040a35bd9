import Foundation
import Testing

extension EndToEnd {
  /// Users, as the demo server's cookie `demoUser` names them.
  @Suite struct Users {
    let products = Result { try SharedProducts.get() }

    @Test func aUserNeedsNoGuestCookieAndHasNoEnd() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      let answer = try user.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"])
      #expect(answer.status == 200)
      #expect(answer["Set-Cookie"] == nil)
      #expect(answer["Guest-Cart-Id"] == nil)
      #expect(try answer.json["owner"] == "user")
      #expect(try answer.json["expiresAt"] == .null)
    }

    @Test func anUnknownUsersCartIsEmptyAndTheirs() throws {
      let cart = try Shopper.newUser().cart()
      #expect(cart["owner"] == "user")
      #expect(cart["version"] == 0)
    }

    @Test func oneUserOnTwoConnectionsHasOneCart() throws {
      let products = try products.get()
      let phone = Shopper.newUser()
      let laptop = Shopper(user: phone.user)
      try phone.add(products.a)
      try laptop.add(products.b)
      #expect(try phone.cart().skus == [products.a, products.b])
      #expect(try Shopper.newUser().cart().skus == [])
    }

    @Test(arguments: ["50%off", "{tag}", "a{b}c%7Bd%7D", "Zoë", "用户", "a:b|c", "user@example.org", "..", "0"])
    func anIdIsTakenAsItIs(name: String) throws {
      let products = try products.get()
      let unique = name + "-" + UUID().uuidString
      let user = Shopper(user: unique)
      try user.add(products.a, 2)
      #expect(try Shopper(user: unique).cart().line(products.a)["quantity"] == 2)
      #expect(try Shopper(user: unique + "x").cart().skus == [])
      let redis = try Redis()
      let encoded = unique.replacingOccurrences(of: "%", with: "%25").replacingOccurrences(of: "{", with: "%7B")
        .replacingOccurrences(of: "}", with: "%7D")
      #expect(try redis.command("EXISTS", redis.prefix + "cart:user:" + encoded) == .integer(1))
      #expect(try redis.command("PTTL", redis.prefix + "cart:user:" + encoded) == .integer(-1))
    }

    @Test func anIdOf128BytesIsAllowed() throws {
      let id = UUID().uuidString + String(repeating: "x", count: 92)
      #expect(try Shopper(user: id).cart()["owner"] == "user")
    }

    @Test func anEmptyUserIsNone() throws {
      let answer = try Shopper(user: "").send("GET", "/v1/cart")
      #expect(answer.status == 200)
      #expect(try answer.json["owner"] == "guest")
    }

    @Test(arguments: [
      [UInt8](repeating: 0x78, count: 129), Array("a\u{1}b".utf8), [0x61, 0xFF, 0x62], [0xC0, 0x80], [0x61, 0x7F],
      Array("a\u{85}".utf8), [0xED, 0xA0, 0x80],
    ])
    func anInvalidUserIsRefused(id: [UInt8]) throws {
      let products = try products.get()
      for method in ["GET", "POST"] {
        var request = HTTPRequest(method: method, target: method == "GET" ? "/v1/cart" : "/v1/cart/lines")
        request.rawLines = [Array("Cookie: demoUser=".utf8) + id]
        if method == "POST" {
          request.headers = [(name: "Content-Type", value: "application/json")]
          request.body = Array(JSON.object(["sku": "\(products.a)"]).description.utf8)
        }
        let answer = try HTTPConnection().send(request)
        try expectProblem(answer, 401, "bad_token")
        #expect(answer["WWW-Authenticate"]?.hasPrefix("Bearer") == true)
      }
    }

    @Test func noClientHeaderSetsTheUser() throws {
      let products = try products.get()
      let user = Shopper.newUser()
      try user.add(products.a)
      let id = try #require(user.user)
      let names = [
        "CART_USER", "Cart-User", "CART-USER", "X-Cart-User", "Remote-User", "REMOTE_USER", "X-Remote-User", "X-User",
        "Http-Cart-User",
      ]
      for name in names {
        let answer = try Shopper.newGuest().send("GET", "/v1/cart", headers: [(name: name, value: id)])
        #expect(try answer.json["owner"] == "guest", "\(name)")
        #expect(try answer.json.skus == [], "\(name)")
      }
    }

    @Test func otherCredentialsAreIgnored() throws {
      for value in ["Basic dXNlcjpwYXNz", "Bearer abc.def.ghi", "Bearer", "Negotiate"] {
        let answer = try Shopper.newGuest().send("GET", "/v1/cart", headers: [(name: "Authorization", value: value)])
        #expect(answer.status == 200, "\(value)")
        #expect(try answer.json["owner"] == "guest")
      }
    }

    @Test func aGuestsCartLiesUnderItsKeyForThirtyDays() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a)
      let value = try #require(guest.cookie)
      let redis = try Redis()
      let lives = try [value, String(value.prefix { $0 != "." })].compactMap { name in
        try redis.command("TTL", redis.prefix + "cart:guest:" + name).integer
      }
      let life = try #require(lives.first { $0 >= 0 })
      #expect((2_592_000 - 60...2_592_001).contains(life))
    }
  }
}
