import TestSupport
import Testing

/// A request that breaks two rules is told the first: path 404, method 405, size 413, token 401, cross-site 403, type
/// 415, syntax 400, fields 422, retry, If-Match 412, state 409/422.
@Suite struct OrderOfChecks {
  let shop: any ShopUnderTest

  init() throws { shop = try openShop() }

  @Test func eachCheckComesBeforeTheNext() throws {
    let sku = try shop.make("order", ["stock": 5])
    let user = shop.newUser()
    let key: KeyValuePairs = ["Idempotency-Key": "used"]
    #expect(try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: key).status == 200)
    // From the last check to the first.
    var request = user.identified(Request("PATCH", linePath(sku), body: Array(#"{"quantity":9}"#.utf8)))
    request.headers = [(name: "Content-Type", value: "application/json")]
    func expect(_ status: Int, _ code: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
      let answer = try user.connection.send(request)
      expectProblem(answer, status, code, sourceLocation: sourceLocation)
      #expect((answer["Allow"] != nil) == (status == 405), sourceLocation: sourceLocation)
    }
    try expect(422, "insufficient_stock")
    request.add("If-Match", "\"7-x\"")
    try expect(412, "version_mismatch")
    request.add("Idempotency-Key", "used")
    try expect(422, "idempotency_key_reused")
    request.body = Array(#"{"quantity":-1}"#.utf8)
    try expect(422, "invalid_quantity")
    request.body = Array(#"{"quantity":-1,"quantity":-1}"#.utf8)
    try expect(400, "malformed_json")
    request.headers[0].value = "text/plain"
    try expect(415, "not_json")
    request.headers.remove(at: 0)
    try expect(415, "not_json")
    request.add("Origin", "https://evil.example")
    try expect(403, "cross_site")
    request.user = [UInt8](repeating: 0x78, count: 129)
    try expect(401, "bad_token")
    request.body = [UInt8](repeating: 0x20, count: 300_000)
    try expect(413, "body_too_large")
    request.method = "PUT"
    try expect(405, "method_not_allowed")
    request.target = Array("/v1/nothing".utf8)
    try expect(404, "not_found")
    request.target = Array("/v1/cart/%zz/A".utf8)
    try expect(400, "malformed_request")
  }

  @Test func theSizeComesBeforeTheOriginAndTheOriginBeforeTheForm() throws {
    let spaces = String(repeating: " ", count: 300_000)
    let user = shop.newUser()
    for headers: KeyValuePairs in [["Origin": "https://evil.example"], [:]] {
      try expectProblem(user.send("POST", "/v1/cart/lines", text: spaces, headers: headers), 413, "body_too_large")
    }
    let elsewhere: KeyValuePairs = ["Origin": "https://evil.example"]
    try expectProblem(user.send("DELETE", "/v1/cart", text: "{", headers: elsewhere), 403, "cross_site")
  }

  @Test func theSyntaxComesBeforeTheVersion() throws {
    for text in [#"{"quantity":0} x"#, #"{"surplus":1,"sku":7,"sku":7}"#, #"{"lines":[{"price":1}]"#] {
      try expectProblem(
        shop.newUser().send("POST", "/v1/cart/lines", text: text, headers: ["If-Match": "\"77-x\""]), 400,
        "malformed_json")
    }
  }

  @Test func theFieldsComeBeforeTheRetry() throws {
    let user = shop.newUser()
    let key: KeyValuePairs = ["Idempotency-Key": "k"]
    #expect(try user.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: key).status == 200)
    // Neither the key, which belongs to another body, nor the stale version is looked at yet.
    let headers: KeyValuePairs = ["Idempotency-Key": "k", "If-Match": "\"77-x\""]
    for (body, code) in [(["price": 1], "unknown_field"), (["quantity": 0], "invalid_quantity")] as [(JSON, String)] {
      try expectProblem(
        user.send("POST", "/v1/cart/lines", body.setting("sku", "t-a"), headers: headers), 422, code)
    }
  }

  @Test func theRetryComesBeforeTheVersion() throws {
    let user = shop.newUser()
    let headers: KeyValuePairs = ["Idempotency-Key": "k", "If-Match": "\"0-x\""]
    #expect(try user.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: headers).status == 200)
    let replay = try user.send("POST", "/v1/cart/lines", ["sku": "t-a"], headers: headers)
    #expect(replay.status == 200)
    #expect(replay["Idempotent-Replayed"] == "true")
    try expectProblem(
      user.send("POST", "/v1/cart/lines", ["sku": "t-b"], headers: headers), 422, "idempotency_key_reused")
  }

  @Test func aReplayIsNotRefusedByAStateThatCameLater() throws {
    let sku = try shop.make("replayed", ["stock": 1])
    let user = shop.newUser()
    let key: KeyValuePairs = ["Idempotency-Key": "k"]
    #expect(try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: key).status == 200)
    try shop.load([["sku": "\(sku)", "stock": 0]])
    _ = try shop.awaited(user) { $0["problems"] != [] }
    let replay = try user.send("POST", "/v1/cart/lines", ["sku": "\(sku)"], headers: key)
    #expect(replay.status == 200)
    #expect(replay["Idempotent-Replayed"] == "true")
  }

  @Test func theVersionComesBeforeTheState() throws {
    let sku = try shop.make("gone", ["stock": 0])
    let user = shop.newUser()
    try user.add("t-a")
    let requests: [(String, String, JSON)] = [
      ("PATCH", linePath("t-b"), ["quantity": 1]), ("POST", "/v1/cart/lines", ["sku": "\(sku)"]),
      ("POST", "/v1/cart/lines", ["sku": "t-limit5", "quantity": 6]),
      ("POST", "/v1/cart/lines", ["sku": "t-a", "quantity": 1_000_000]),
    ]
    for (method, target, body) in requests {
      let answer = try user.send(method, target, body, headers: ["If-Match": "\"77-x\""])
      expectProblem(answer, 412, "version_mismatch", hasCart: true)
    }
  }
}
