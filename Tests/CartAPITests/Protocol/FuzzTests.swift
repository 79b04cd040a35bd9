import CartAPI
import CartDomain
import TestSupport
import Testing

/// Whatever comes in, something sensible goes out, and nothing traps.
@Suite struct Fuzz {
  private static let targets = [
    "/v1/cart", "/v1/cart/lines", "/v1/cart/lines/A", "/v1/cart/selection", "/v1/cart/prices/acknowledge",
    "/v1/cart/validate", "/ops/health", "/v1/cart/lines?sku=A&view=summary", "http://shop.example/v1/cart",
  ]
  private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]
  private static let values = [
    "application/json", "\"1-x\"", "*", "W/\"", "\"", ",,,", "guestCartId=", "guestCartId=\"", "=;=;=", "null",
    "https://shop.example", "cross-site", "k", "\u{0}", "é", "%", ";", "",
  ]

  private func expectSensible(_ response: HTTPResponse, _ request: HTTPRequest) {
    #expect([200, 204, 304, 400, 401, 403, 404, 405, 412, 413, 414, 415, 422].contains(response.status))
    let hasBody = response.status != 204 && response.status != 304
    #expect(hasBody == !response.body.isEmpty)
    if hasBody { #expect(throws: Never.self) { _ = try JSON(response.body) } }
    for field in response.fields { #expect(field.value.utf8.allSatisfy { (0x20...0x7E).contains($0) }) }
  }

  @Test(arguments: 0..<8)
  func randomRequests(seed: Int) throws {
    let shop = try Shop()
    try shop.sell("A", stock: 50)
    try shop.sell("B", price: 1_000_000_000)
    var random = SeededRandom(seed: UInt64(seed))
    func pick<Element>(_ choices: [Element]) -> Element {
      choices[Int.random(in: 0..<choices.count, using: &random)]
    }
    func bytes(_ most: Int) -> [UInt8] {
      (0..<Int.random(in: 0...most, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
    func mutated(_ text: String) -> [UInt8] {
      var text = Array(text.utf8)
      for _ in 0..<Int.random(in: 0...3, using: &random) where !text.isEmpty {
        let index = Int.random(in: 0..<text.count, using: &random)
        switch Int.random(in: 0...2, using: &random) {
        case 0: text[index] = UInt8.random(in: 0...255, using: &random)
        case 1: text.remove(at: index)
        default: text.insert(contentsOf: pick(["%", "/", "%2f", "?", "&", "=", "..", "%ff"]).utf8, at: index)
        }
      }
      return text
    }
    for _ in 0..<600 {
      var headers: Shop.Headers = [:]
      for header in HTTPRequest.Header.allCases where Int.random(in: 0...3, using: &random) == 0 {
        headers[header] = pick(Self.values)
      }
      if Bool.random(using: &random) { headers[.contentType] = "application/json" }
      let body = Bool.random(using: &random) ? Array(RandomJSON.text(depth: 4, using: &random).utf8) : bytes(40)
      let request = HTTPRequest(
        method: pick(Self.methods), target: mutated(pick(Self.targets)), scheme: pick(["http", "https", ""]),
        host: pick(["shop.example", "", ":", "\u{0}"]),
        cartUser: pick([[], Array("u".utf8), bytes(3)]), requestID: pick(["r", "", "\n"]), headers: headers, body: body)
      expectSensible(shop.service.respond(to: request), request)
    }
  }

  /// Bodies that are nearly right reach deeper than noise does.
  @Test(arguments: 0..<4)
  func mutatedBodies(seed: Int) throws {
    let shop = try Shop()
    try shop.sell("A", stock: 50)
    var random = SeededRandom(seed: UInt64(100 + seed))
    let bodies: [(String, String, String)] = [
      ("POST", "/v1/cart/lines", #"{"sku":"A","quantity":1,"extraData":{"k":[1.5,"é\u00e9",null]}}"#),
      ("POST", "/v1/cart/lines", #"{"lines":[{"sku":"A","quantity":1},{"sku":"A","extraData":{}}]}"#),
      ("PATCH", "/v1/cart/lines/A", #"{"quantity":12,"selected":false,"extraData":{"a":{"b":[]}}}"#),
      ("PATCH", "/v1/cart/lines/A", #"{"delta":-10}"#),
      ("PUT", "/v1/cart/selection", #"{"selected":true,"skus":["A"]}"#),
      ("POST", "/v1/cart/prices/acknowledge", #"{"skus":["A"]}"#), ("POST", "/v1/cart/validate", "{}"),
    ]
    for _ in 0..<1_500 {
      let (method, target, text) = bodies[Int.random(in: 0..<bodies.count, using: &random)]
      var body = Array(text.utf8)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let index = Int.random(in: 0..<body.count, using: &random)
        if Bool.random(using: &random) {
          body[index] = Array("0123456789{}[]\",:.-eEntfu\\ \u{7F}".utf8).randomElement(using: &random) ?? 0
        } else {
          body.insert(body[Int.random(in: 0..<body.count, using: &random)], at: index)
        }
      }
      let request = HTTPRequest(
        method: method, target: Array(target.utf8), cartUser: [0x75], headers: [.contentType: "application/json"],
        body: body)
      expectSensible(shop.service.respond(to: request), request)
    }
  }
}
