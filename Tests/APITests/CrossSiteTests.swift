import TestSupport
import Testing

/// A change that another site's page asks the browser for is refused.
@Suite struct CrossSite {
  let shop: any ShopUnderTest
  let host: String

  init() throws {
    shop = try openShop()
    host = shop.connect().host
  }

  private func add(_ headers: KeyValuePairs<String, String>) throws -> Answer {
    try shop.newUser().send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: headers)
  }

  @Test func ownPagesAndAppsMayChange() throws {
    let allowed: [KeyValuePairs<String, String>] = [
      [:], ["Origin": "http://\(host)"], ["Origin": "HTTP://\(host.uppercased())"], ["Origin": ""],
      ["Sec-Fetch-Site": "same-origin"], ["Sec-Fetch-Site": "none"], ["Sec-Fetch-Site": "same-site"],
      ["Origin": "http://\(host)", "Sec-Fetch-Site": "cross-site"],
      ["Host": "shop.example", "Origin": "http://shop.example"],
      ["Host": "shop.example", "Origin": "http://shop.example:80"],
      ["Host": "shop.example:8443", "Origin": "http://shop.example:8443"],
    ]
    for headers in allowed { #expect(try add(headers).status == 200, "\(headers)") }
  }

  @Test func othersMayNot() throws {
    let refused: [KeyValuePairs<String, String>] = [
      ["Origin": "https://evil.example"], ["Origin": "null"], ["Origin": "https://\(host)"],
      ["Origin": "http://127.0.0.1"], ["Origin": "http://127.0.0.1:1"], ["Origin": "http://\(host).evil.example"],
      ["Origin": "http://evil.example/\(host)"], ["Origin": "http://\(host)@evil.example"],
      ["Origin": "http://\(host)/"], ["Origin": host], ["Sec-Fetch-Site": "cross-site"],
      ["Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"],
      ["Origin": "null", "Sec-Fetch-Site": "same-origin"], ["Origin": "http://\(host) https://evil.example"],
      ["Origin": "://\(host)"], ["Origin": "http://"], ["Origin": "é"],
    ]
    for headers in refused { try expectProblem(add(headers), 403, "cross_site") }
  }

  @Test func everyChangeIsGuarded() throws {
    let user = shop.newUser()
    let before = try user.add("t-a")
    for change in changes {
      let answer = try user.send(
        change.method, change.target, change.body, headers: ["Origin": "https://evil.example"])
      expectProblem(answer, 403, "cross_site")
    }
    #expect(try user.cart() == before)
  }

  @Test func readsAreNotChangesYetShareNothing() throws {
    for method in ["GET", "HEAD", "OPTIONS"] {
      let answer = try shop.newGuest().send(
        method, "/v1/cart",
        headers: [
          "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Access-Control-Request-Method": "DELETE",
        ])
      #expect([200, 204].contains(answer.status))
      for header in answer.headers { #expect(!header.name.lowercased().hasPrefix("access-control-")) }
    }
  }
}
