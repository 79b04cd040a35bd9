import CartAPI
import CartDomain
import Testing

/// A request that breaks two rules is told the first: path 404, method 405, size 413, token 401, cross-site 403, type
/// 415, syntax 400, fields 422, retry, If-Match 412, state 409/422.
@Suite struct OrderOfChecks {
  /// What is wrong with the request, from the last check to the first.
  private struct Faulty {
    var method = "PATCH"
    var target = "/v1/cart/lines/A"
    var user = "u"
    var headers: Shop.Headers = [.contentType: "application/json"]
    var body = #"{"quantity":9}"#
    var isTooLarge = false
  }

  @Test func eachCheckComesBeforeTheNext() throws {
    let shop = try Shop()
    try shop.sell("A", stock: 5)
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u", headers: [.idempotencyKey: "used"])
    var faulty = Faulty()
    func expect(_ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation) {
      let request = HTTPRequest(
        method: faulty.method, target: Array(faulty.target.utf8), scheme: "http", host: "shop.example",
        cartUser: Array(faulty.user.utf8), requestID: "r-1", headers: faulty.headers, body: Array(faulty.body.utf8),
        isBodyTooLarge: faulty.isTooLarge)
      expectProblem(Answer(shop.service.respond(to: request)), status, code, sourceLocation: sourceLocation)
    }
    expect(422, "insufficient_stock")
    faulty.headers[.ifMatch] = "\"7-x\""
    expect(412, "version_mismatch")
    faulty.headers[.idempotencyKey] = "used"
    expect(422, "idempotency_key_reused")
    faulty.body = #"{"quantity":-1}"#
    expect(422, "invalid_quantity")
    faulty.body = #"{"quantity":-1,"quantity":-1}"#
    expect(400, "malformed_json")
    faulty.headers[.contentType] = "text/plain"
    expect(415, "not_json")
    faulty.headers[.origin] = "https://evil.example"
    expect(403, "cross_site")
    faulty.user = "\u{1}"
    expect(401, "bad_token")
    faulty.isTooLarge = true
    expect(413, "body_too_large")
    faulty.method = "PUT"
    expect(405, "method_not_allowed")
    faulty.target = "/v1/cart/line/A"
    expect(404, "not_found")
    faulty.target = "/v1/cart/%zz/A"
    expect(400, "malformed_request")
  }

  @Test func aCartThatWasChangedTooMuchSaysWhenToComeAgain() throws {
    let shop = try Shop()
    try shop.sell("A")
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    shop.store.outcome = .limited(seconds: 17)
    let answer = shop.send("PUT", "/v1/cart/selection", #"{"selected":true,"all":true}"#, user: "u")
    expectProblem(answer, 429, "rate_limited", hasCart: false)
    #expect(answer["Retry-After"] == "17")
  }

  @Test func aBodyEndsAt256KiB() throws {
    let shop = try Shop()
    try shop.sell("A")
    let text = #"{"sku":"A"}"#
    let fits = text + String(repeating: " ", count: 256 * 1024 - text.utf8.count)
    #expect(shop.send("POST", "/v1/cart/lines", fits).status == 200)
    expectProblem(shop.send("POST", "/v1/cart/lines", fits + " "), 413, "body_too_large")
  }

  @Test func aStoreThatIsAwayIs503() throws {
    let shop = try Shop()
    try shop.sell("A")
    shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, user: "u")
    for isStore in [true, false] {
      shop.store.isAway = isStore
      shop.catalogue.isAway = !isStore
      for (method, target, body) in [
        ("GET", "/v1/cart", nil), ("POST", "/v1/cart/lines", #"{"sku":"A"}"#), ("POST", "/v1/cart/validate", nil),
      ] as [(String, String, String?)] {
        let answer = shop.send(method, target, body, user: "u")
        expectProblem(answer, 503, "store_unavailable", hasCart: false)
        #expect(answer["Retry-After"] == "1")
        #expect(answer.response.note == "unavailable: away for the test")
        #expect(!answer.text.contains("away"))
      }
      let guest = shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#)
      #expect(guest.status == 503)
      #expect(guest["Set-Cookie"] == nil)
      #expect(shop.send("GET", "/v1/cart").status == 200)
    }
  }

  @Test func whatOthersAreAtWorkOnIs503AndOverloaded() throws {
    let shop = try Shop()
    shop.store.isCrowded = true
    let answer = shop.send("GET", "/v1/cart", user: "u")
    expectProblem(answer, 503, "overloaded", hasCart: false)
    #expect(answer["Retry-After"] == "1")
    #expect(answer.response.note == nil)
  }
}
