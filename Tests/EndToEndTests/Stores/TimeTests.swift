import Foundation
import TestSupport
import Testing

extension EndToEnd {
  /// What the clock does.
  @Suite struct Times {
    let shop: any ShopUnderTest

    init() throws { shop = try openShop() }

    @Test func aSaleBeginsAndEndsByTheClock() throws {
      func stamp(_ seconds: Double) -> JSON { "\(Date(timeIntervalSinceNow: seconds).formatted(.iso8601))" }
      let sku = try shop.make("window", ["availableFrom": stamp(2), "availableUntil": stamp(4)])
      let user = shop.newUser()
      func add() throws -> Answer { try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"]) }
      try expectProblem(add(), 422, "not_on_sale_yet")
      _ = try eventually(within: 3, add, until: { $0.status == 200 })
      let over = try eventually(within: 4, { try user.cart() }, until: { $0["problems"] != [] })
      #expect(over.problemCodes == ["no_longer_on_sale \(sku)"])
      #expect(over.line(sku)["current"]["purchasable"] == false)
      #expect(over["totals"]["selected"] == 0)
      try expectProblem(add(), 422, "no_longer_on_sale")
    }

    @Test func aGuestsCartEndsThirtyDaysAfterItsLastChange() throws {
      let guest = shop.newGuest()
      let before = Date().timeIntervalSince1970.rounded(.down)
      let first = try #require(try guest.add("t-a")["expiresAt"].string)
      #expect(first.isTimestamp)
      let date = try Date(first, strategy: .iso8601).timeIntervalSince1970
      #expect((before...Date().timeIntervalSince1970 + 1).contains(date - 30 * 86_400))
      // Reads until the clock is in another second: had the time been computed on each read, one would differ.
      while Date().timeIntervalSince1970 < before + 2 { #expect(try guest.cart()["expiresAt"] == "\(first)") }
      let renewed = try #require(try guest.add("t-a")["expiresAt"].string)
      #expect(renewed > first)
    }
  }
}
