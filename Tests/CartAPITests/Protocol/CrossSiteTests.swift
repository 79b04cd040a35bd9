import CartAPI
import CartDomain
import Testing

/// A change that another site's page asks the browser for is refused.
@Suite struct CrossSite {
  let shop: Shop

  init() throws {
    shop = try Shop(Shop.configuration(origins: "https://m.shop.example, http://app.example:8080"))
    try shop.sell("A")
  }

  private func add(_ headers: Shop.Headers, scheme: String = "http") -> Answer {
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: headers, scheme: scheme)
  }

  @Test(
    arguments: [
      [:], [.origin: "http://shop.example"], [.origin: "http://shop.example:80"], [.origin: "HTTP://Shop.Example"],
      [.origin: "https://m.shop.example"], [.origin: "https://m.shop.example:443"],
      [.origin: "http://app.example:8080"],
      [.origin: "http://shop.example", .secFetchSite: "cross-site"], [.secFetchSite: "same-origin"],
      [.secFetchSite: "same-site"], [.secFetchSite: "none"], [.origin: ""],
    ] as [Shop.Headers])
  func ownPagesMay(headers: Shop.Headers) { #expect(add(headers).status == 200) }

  @Test(
    arguments: [
      [.origin: "https://evil.example"], [.origin: "null"], [.origin: "https://shop.example"],
      [.origin: "http://shop.example:8080"], [.origin: "http://shop.example.evil.example"],
      [.origin: "http://shop.example/"], [.origin: "http://shop.example@evil.example"], [.origin: "shop.example"],
      [.origin: "http://app.example"], [.origin: "http://m.shop.example"], [.secFetchSite: "cross-site"],
      [.origin: "http://shop.example https://evil.example"], [.origin: "null", .secFetchSite: "same-origin"],
      [.origin: "://shop.example"], [.origin: "http://"], [.origin: "é"],
    ] as [Shop.Headers])
  func othersMayNot(headers: Shop.Headers) {
    expectProblem(add(headers), 403, "cross_site")
    #expect(shop.store.calls == 0)
    for change in Conditional.changes {
      expectProblem(shop.send(change.method, change.target, change.body, headers: headers), 403, "cross_site")
    }
    #expect(shop.send("GET", "/v1/cart", headers: headers).status == 200)
  }

  @Test func theSchemeIsTheRequestsOwn() {
    #expect(add([.origin: "https://shop.example:443"], scheme: "https").status == 200)
    expectProblem(add([.origin: "http://shop.example"], scheme: "https"), 403, "cross_site")
  }

  @Test(arguments: ["shop.example", "https://", "https://a/b", "null"])
  func aConfiguredOriginMustBeOne(origin: String) {
    #expect(throws: APIConfiguration.Invalid.self) { try Shop.configuration(origins: origin) }
  }
}
