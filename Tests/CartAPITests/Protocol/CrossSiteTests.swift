import CartAPI
import TestSupport
import Testing

/// Pages of other sites that the shop has named may change carts too.
@Suite struct ConfiguredOrigins {
  let shop: Shop

  init() throws {
    shop = try Shop(Shop.configuration(origins: "https://m.shop.example, http://app.example:8080"))
    try shop.sell("A")
  }

  private func add(_ origin: String, scheme: String = "http") -> Answer {
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: [.origin: origin], scheme: scheme)
  }

  @Test(arguments: ["https://m.shop.example", "https://m.shop.example:443", "http://app.example:8080"])
  func itsPagesMay(origin: String) { #expect(add(origin).status == 200) }

  @Test(arguments: ["http://app.example", "http://m.shop.example", "https://evil.example"])
  func othersMayNot(origin: String) {
    expectProblem(add(origin), 403, "cross_site")
    #expect(shop.store.calls == 0)
    #expect(shop.send("GET", "/v1/cart", headers: [.origin: origin]).status == 200)
  }

  @Test func theSchemeIsTheRequestsOwn() {
    #expect(add("https://shop.example:443", scheme: "https").status == 200)
    expectProblem(add("http://shop.example", scheme: "https"), 403, "cross_site")
  }

  @Test(arguments: ["shop.example", "https://", "https://a/b", "null"])
  func aConfiguredOriginMustBeOne(origin: String) {
    #expect(throws: APIConfiguration.Invalid.self) { try Shop.configuration(origins: origin) }
  }
}
