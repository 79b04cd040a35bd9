import CartAPI
import CartDomain
import TestSupport
import Testing

/// The guest's pass from day to day, its secrets, and what the store is asked for it.
@Suite struct GuestPasses {
  let shop: Shop

  init() throws {
    shop = try Shop()
    try shop.sell("A")
  }

  static let add = #"{"sku":"A"}"#

  private func newGuest() throws -> String {
    let answer = shop.send("POST", "/v1/cart/lines", Self.add)
    #expect(answer.json["expiresAt"] == "2026-12-22T10:00:00Z")
    return try #require(answer["Guest-Cart-Id"])
  }

  @Test(arguments: [
    (APIConfiguration.CookieSecurity.auto, "https", true), (.auto, "http", false), (.always, "http", true),
    (.never, "https", false),
  ])
  func secureIsConfigured(security: APIConfiguration.CookieSecurity, scheme: String, isSecure: Bool) throws {
    let shop = try Shop(Shop.configuration(basePath: "/shop", cookieSecurity: security))
    try shop.sell("A")
    let cookie = try #require(shop.send("POST", "/shop/v1/cart/lines", Self.add, scheme: scheme)["Set-Cookie"])
    #expect(cookie.hasSuffix("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "")))
  }

  @Test func aForgedPassAsksNobody() throws {
    let pass = try newGuest()
    // The last character of 22 holds four bits that say nothing: another spelling of the same bytes is another value.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    let spellings = alphabet.map { String(pass.dropLast()) + String($0) }.filter { $0 != pass }
    let calls = shop.store.calls
    for forged in forgeries(of: pass) + spellings + ["\u{0}"] {
      #expect(shop.send("GET", "/v1/cart", headers: [.guestCartID: forged]).json["version"] == 0, "\(forged)")
      #expect(shop.send("GET", "/v1/cart", headers: [.cookie: "guestCartId=\(forged)"]).json["version"] == 0)
    }
    #expect(shop.store.calls == calls)
  }

  @Test func aUserComesBeforeAGuest() throws {
    let pass = try newGuest()
    shop.clock.advance(days: 2)
    let answer = shop.send("POST", "/v1/cart/lines", Self.add, user: "u", headers: [.guestCartID: pass])
    #expect(answer.json["owner"] == "user")
    #expect(answer["Guest-Cart-Id"] == nil)
    #expect(answer["Set-Cookie"]?.hasPrefix("guestCartId=; Path=/; Max-Age=0") == true)
  }

  @Test func a304RenewsTheCookie() throws {
    let pass = try newGuest()
    shop.clock.advance(days: 1)
    let answer = shop.send("GET", "/v1/cart", headers: [.guestCartID: pass, .ifNoneMatch: "*"])
    #expect(answer.status == 304)
    #expect(answer["Set-Cookie"]?.hasPrefix("guestCartId=\(pass); ") == true)
  }

  @Test func theStoreIsAskedForTheRandomPartOnly() throws {
    let pass = try newGuest()
    guard case .guest(let id) = shop.store.lastChange?.owner else {
      Issue.record("no guest")
      return
    }
    #expect(id.text == String(pass.prefix(22)))
    #expect(shop.store.lastChange?.isNewGuest == true)
    shop.send("POST", "/v1/cart/lines", Self.add, headers: [.guestCartID: pass])
    #expect(shop.store.lastChange?.isNewGuest == false)
  }

  @Test(arguments: [false, true])
  func thePassIsRenewedOnceADay(byHeader: Bool) throws {
    let pass = try newGuest()
    let headers: Shop.Headers = byHeader ? [.guestCartID: pass] : [.cookie: "guestCartId=\(pass)"]
    let requests: [(method: String, target: String, body: String?)] = [
      ("GET", "/v1/cart", nil), ("GET", "/v1/cart?view=summary", nil), ("HEAD", "/v1/cart", nil),
      ("DELETE", "/v1/cart/lines/none", nil), ("PUT", "/v1/cart/selection", #"{"selected":true,"all":true}"#),
      ("POST", "/v1/cart/validate", nil), ("POST", "/v1/cart/lines", Self.add),
    ]
    for (method, target, body) in requests {
      func send() -> Answer { shop.send(method, target, body, headers: headers) }
      shop.clock.advance(milliseconds: 86_399_000)
      #expect(send()["Set-Cookie"] == nil)
      shop.clock.advance(milliseconds: 1_000)
      let renewed = send()
      #expect(renewed["Set-Cookie"] == "guestCartId=\(pass); Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax")
      #expect(renewed["Guest-Cart-Id"] == pass)
      #expect(send()["Set-Cookie"] == nil)
    }
  }

  @Test func aSpentPassReadsAsEmptyAndIsReplaced() throws {
    let pass = try newGuest()
    let headers: Shop.Headers = [.guestCartID: pass]
    shop.clock.advance(days: 30)
    #expect(shop.send("GET", "/v1/cart", headers: headers).json["version"] == 0)
    expectProblem(
      shop.send("PATCH", "/v1/cart/lines/A", #"{"delta":1}"#, headers: headers), 404, "line_not_found", hasCart: true)
    #expect(shop.send("DELETE", "/v1/cart", headers: headers)["Set-Cookie"] == nil)
    let stale = headers.merging([.ifMatch: "\"1-x\""]) { first, _ in first }
    expectProblem(shop.send("POST", "/v1/cart/lines", Self.add, headers: stale), 412, "version_mismatch", hasCart: true)
    let answer = shop.send("POST", "/v1/cart/lines", Self.add, headers: headers)
    #expect(answer.json["version"] == 1)
    let fresh = try #require(answer["Guest-Cart-Id"])
    #expect(fresh != pass)
    #expect(shop.send("GET", "/v1/cart", headers: [.guestCartID: fresh]).skus == ["A"])
  }

  /// Whatever a store still knows of a spent cart is nobody's.
  @Test func aSpentPassShowsNothingOfItsCart() throws {
    final class SpentStore: CartStore {
      func cart(of owner: CartOwner) throws(StoreError) -> CartReading {
        var cart = Cart(owner: owner)
        cart.version = 7
        return CartReading(cart: cart, isGone: true)
      }

      func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading {
        ChangeReading(outcome: .unchanged, reading: try cart(of: request.owner))
      }

      func sync(_ owner: CartOwner) throws(StoreError) -> Int64 { 7 }

      func merge(
        _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey?, requestID: String
      ) throws(StoreError) -> MergeReading { .nothing }

      func precheck(
        _ owner: CartOwner, retryKey: RetryKey?, condition: VersionCondition?
      ) throws(StoreError) -> ChangeReading { ChangeReading(outcome: .unchanged, reading: try cart(of: owner)) }
    }
    let pass = try newGuest()
    let service = try CartService(
      store: SpentStore(), catalogue: shop.catalogue, configuration: Shop.configuration()
    ) { Shop.opening }
    for method in ["GET", "DELETE"] {
      let request = HTTPRequest(method: method, target: Array("/v1/cart".utf8), headers: [.guestCartID: pass])
      #expect(Answer(service.respond(to: request)).json["version"] == 0)
    }
  }

  @Test func secretsAreRotated() throws {
    let old = try newGuest()
    let secret = [UInt8](repeating: 1, count: 32)
    let rotated = try CartService(
      store: shop.store, catalogue: shop.catalogue,
      configuration: Shop.configuration(secret: secret, oldSecret: Shop.secret)
    ) { [clock = shop.clock] in clock.now }
    func read(_ pass: String) -> Answer {
      Answer(
        rotated.respond(
          to: HTTPRequest(method: "GET", target: Array("/v1/cart".utf8), headers: [.guestCartID: pass])))
    }
    #expect(read(old).skus == ["A"])
    // The next renewal signs it anew, so that the old secret can go.
    shop.clock.advance(days: 1)
    let renewed = try #require(read(old)["Guest-Cart-Id"])
    #expect(renewed != old)
    #expect(renewed.prefix(22) == old.prefix(22))
    #expect(read(renewed).skus == ["A"])
    #expect(shop.send("GET", "/v1/cart", headers: [.guestCartID: renewed]).skus == [])
  }

  @Test func aWeakSecretIsRefused() {
    #expect(throws: APIConfiguration.Invalid.self) {
      try APIConfiguration(guestSecret: [UInt8](repeating: 1, count: 31))
    }
    #expect(throws: APIConfiguration.Invalid.self) {
      try APIConfiguration(guestSecret: [UInt8](repeating: 1, count: 32), oldGuestSecret: [1])
    }
  }
}
