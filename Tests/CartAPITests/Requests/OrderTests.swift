import CartAPI
import CartDomain
import TestSupport
import Testing

/// `/v1/orders` of a shop that takes none, or none of guests.
@Suite struct OrderConfiguration {
  private static let body = #"{"expectedTotal":1}"#

  @Test func guestsMayBeRefused() throws {
    let shop = try Shop(APIConfiguration(guestSecret: Shop.secret, guestsMayOrder: false))
    expectProblem(shop.send("POST", "/v1/orders", Self.body), 403, "guest_checkout_off")
    expectProblem(shop.send("POST", "/v1/orders", Self.body, user: "u"), 422, "idempotency_key_missing")
    #expect(shop.send("GET", "/v1/orders").json == ["orders": [], "next": nil])
  }

  @Test func withoutABookThereAreNoOrders() throws {
    let shop = try Shop()
    let answer = shop.send("POST", "/v1/orders", Self.body, user: "u", headers: [.idempotencyKey: "k"])
    expectProblem(answer, 503, "store_unavailable")
    #expect(answer["Retry-After"] == "1")
  }
}
