import Foundation
import Testing

extension EndToEnd {
  /// The cookie `guestCartId` and its twin, the header `Guest-Cart-Id`.
  @Suite struct Guests {
    let products = Result { try SharedProducts.get() }

    @Test func theFirstChangeIssuesTheCookieAndTheHeader() throws {
      let products = try products.get()
      let answer = try Shopper.newGuest().send("POST", "/v1/cart/lines", ["sku": "\(products.a)"])
      #expect(answer.status == 200)
      let cookies = answer.all("Set-Cookie")
      #expect(cookies.count == 1)
      let attributes = try #require(cookies.first).components(separatedBy: "; ")
      let value = try #require(attributes.first?.split(separator: "=", maxSplits: 1).last.map(String.init))
      #expect(attributes.first == "guestCartId=\(value)")
      #expect(Set(attributes.dropFirst()) == ["Path=/", "Max-Age=2592000", "HttpOnly", "SameSite=Lax"])
      #expect(answer["Guest-Cart-Id"] == value)
      let parts = value.split(separator: ".", omittingEmptySubsequences: false)
      #expect(parts.count == 2)
      // 128 bits take 22 characters of base64.
      #expect(parts.allSatisfy { $0.utf8.count >= 22 })
      #expect(try answer.json["owner"] == "guest")
    }

    @Test func twoGuestsGetTwoIds() throws {
      let products = try products.get()
      let guests = try (0..<2).map { _ in
        let guest = Shopper.newGuest()
        try guest.add(products.a)
        return guest
      }
      #expect(guests[0].cookie != guests[1].cookie)
    }

    @Test func aReadIssuesNothing() throws {
      for target in ["/v1/cart", "/v1/cart?view=summary"] {
        let answer = try Shopper.newGuest().send("GET", target)
        #expect(answer.status == 200)
        #expect(answer["Set-Cookie"] == nil)
        #expect(answer["Guest-Cart-Id"] == nil)
      }
    }

    @Test func aRequestThatChangesNothingIssuesNothing() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      let answers = [
        try guest.send("DELETE", "/v1/cart"), try guest.send("DELETE", linePath(products.a)),
        try guest.send("DELETE", "/v1/cart/lines?selected=true"),
        try guest.send("PUT", "/v1/cart/selection", ["selected": true, "all": true]),
        try guest.send("POST", "/v1/cart/prices/acknowledge", [:]),
      ]
      for answer in answers {
        #expect(answer.status == 200)
        #expect(answer["Set-Cookie"] == nil)
        #expect(try answer.json["version"] == 0)
        #expect(try answer.json["owner"] == "guest")
      }
    }

    @Test func aRefusedChangeIssuesNothing() throws {
      try expectProblem(
        Shopper.newGuest().send("POST", "/v1/cart/lines", ["sku": "\(Catalogue.prefix)nothing"]), 422, "unknown_sku")
    }

    @Test func theCookieIsNotRenewedOnTheSameDay() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a)
      for answer in [
        try guest.send("GET", "/v1/cart"), try guest.send("POST", "/v1/cart/lines", ["sku": "\(products.a)"]),
      ] {
        #expect(answer.status == 200)
        #expect(answer["Set-Cookie"] == nil)
      }
    }

    @Test func theHeaderServesLikeTheCookie() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a, 3)
      let app = Shopper.newGuest()
      app.header = guest.cookie
      #expect(try app.cart().line(products.a)["quantity"] == 3)
      try app.add(products.a)
      #expect(try guest.cart().line(products.a)["quantity"] == 4)
    }

    @Test func theHeaderWinsOverTheCookie() throws {
      let products = try products.get()
      let first = Shopper.newGuest()
      try first.add(products.a, 1)
      let second = Shopper.newGuest()
      try second.add(products.b, 2)
      let both = Shopper.newGuest()
      both.cookie = first.cookie
      both.header = second.cookie
      #expect(try both.cart().skus == [products.b])
      try both.remove(products.b)
      #expect(try second.cart().skus == [])
      #expect(try first.cart().skus == [products.a])
    }

    @Test func theFirstValidCookieOfSeveralCounts() throws {
      let products = try products.get()
      let first = Shopper.newGuest()
      try first.add(products.a)
      let second = Shopper.newGuest()
      try second.add(products.b)
      let value = try #require(first.cookie)
      let other = try #require(second.cookie)
      let lines = [
        "guestCartId=\(value); guestCartId=\(other)", "guestCartId=forged.value; guestCartId=\(value)",
        "guestCartId=; theme=dark; guestCartId=\(value)", "theme=dark;guestCartId=\(value)",
        "xguestCartId=\(other); guestCartId=\(value); guestCartIdx=\(other)",
      ]
      for line in lines {
        let answer = try Shopper.newGuest().send("GET", "/v1/cart", headers: [(name: "Cookie", value: line)])
        #expect(try answer.json.skus == [products.a], "\(line)")
      }
    }

    @Test func aForgedValueIsNoGuest() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      try guest.add(products.a)
      let value = try #require(guest.cookie)
      for forged in Self.forgeries(of: value) {
        let stranger = Shopper.newGuest()
        stranger.cookie = forged
        #expect(try stranger.cart()["version"] == 0, "\(forged)")
        let change = try stranger.send("POST", "/v1/cart/lines", ["sku": "\(products.b)"])
        #expect(change["Set-Cookie"] != nil, "\(forged)")
        #expect(stranger.cookie != forged && stranger.cookie != value)
        #expect(try change.json.skus == [products.b])
      }
      #expect(try guest.cart().skus == [products.a])
    }

    static func forgeries(of value: String) -> [String] {
      let parts = value.components(separatedBy: ".")
      func changed(_ text: String) -> String {
        // The first character: the last one of base64 may hold bits that say nothing.
        (text.hasPrefix("A") ? "B" : "A") + text.dropFirst()
      }
      return [
        changed(parts[0]) + "." + parts[1], parts[0] + "." + changed(parts[1]), parts[0], parts[0] + ".",
        "." + parts[1], value + "A", value + ".x", String(value.dropLast()), parts[1] + "." + parts[0], ".", "x", "%00",
        "\"\(value)\"x", String(repeating: "A", count: 3_000),
      ]
    }

    @Test func aGuestsCartEndsThirtyDaysAfterItsLastChange() throws {
      let products = try products.get()
      let guest = Shopper.newGuest()
      let before = Date().timeIntervalSince1970.rounded(.down)
      let first = try #require(try guest.add(products.a)["expiresAt"].string)
      #expect(first.isTimestamp)
      let date = try Date(first, strategy: .iso8601).timeIntervalSince1970
      #expect((before...Date().timeIntervalSince1970 + 1).contains(date - 30 * 86_400))
      // Reads until the clock is in another second: had the time been computed on each read, one would differ.
      while Date().timeIntervalSince1970 < before + 2 { #expect(try guest.cart()["expiresAt"] == "\(first)") }
      let renewed = try #require(try guest.add(products.a)["expiresAt"].string)
      #expect(renewed > first)
    }

    @Test func anUnknownIdOfTheRightShapeIsReplaced() throws {
      let products = try products.get()
      let redis = try Redis()
      let guest = Shopper.newGuest()
      try guest.add(products.a)
      let former = try #require(guest.cookie)
      // The cart of a guest that ran out: gone from Redis, and never to come back under its old id.
      let id = String(former.prefix { $0 != "." })
      #expect(try guest.send("POST", "/v1/cart/sync").status == 200)
      let ended = "UPDATE carts SET expires_at = now() - interval '1 s' WHERE owner_id = '\(id)' RETURNING 1"
      #expect(try Database().rows(ended) == [["1"]])
      #expect(try redis.command("DEL", redis.prefix + "cart:guest:" + id).integer == 1)
      #expect(try guest.cart()["version"] == 0)
      let answer = try guest.send("POST", "/v1/cart/lines", ["sku": "\(products.b)"])
      #expect(answer.status == 200)
      #expect(guest.cookie != former)
    }
  }
}
