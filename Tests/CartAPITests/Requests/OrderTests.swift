import CartAPI
import CartDomain
import Testing

/// `/v1/orders`, as far as it needs no order book; the rest is tested with one, through HTTP.
@Suite struct Orders {
  private static let body = #"{"expectedTotal":1}"#

  @Test func guestsMayBeRefused() throws {
    let shop = try Shop(APIConfiguration(guestSecret: Shop.secret, guestsMayOrder: false))
    expectProblem(shop.send("POST", "/v1/orders", Self.body), 403, "guest_checkout_off")
    expectProblem(shop.send("POST", "/v1/orders", Self.body, user: "u"), 422, "idempotency_key_missing")
    #expect(shop.send("GET", "/v1/orders").json == ["orders": [], "next": nil])
  }

  @Test func nobodyHasNothingToOrder() throws {
    let shop = try Shop()
    let key = [HTTPRequest.Header.idempotencyKey: "k"]
    expectProblem(shop.send("POST", "/v1/orders", Self.body), 422, "idempotency_key_missing")
    expectProblem(shop.send("POST", "/v1/orders", Self.body, headers: key), 409, "cart_empty", hasCart: true)
    expectProblem(
      shop.send("POST", "/v1/orders", #"{"expectedTotal":1,"cartVersion":1}"#, headers: key), 412, "version_mismatch",
      hasCart: true)
    expectProblem(
      shop.send("POST", "/v1/orders", #"{"expectedTotal":1,"skus":["A"]}"#, headers: key), 404, "line_not_found",
      pointer: "/skus/0", hasCart: true)
    expectProblem(shop.send("GET", "/v1/orders/0123456789abcdef"), 404, "order_not_found")
    #expect(shop.store.calls == 0)
  }

  @Test func withoutABookThereAreNoOrders() throws {
    let shop = try Shop()
    let answer = shop.send("POST", "/v1/orders", Self.body, user: "u", headers: [.idempotencyKey: "k"])
    expectProblem(answer, 503, "store_unavailable")
    #expect(answer["Retry-After"] == "1")
  }
}
