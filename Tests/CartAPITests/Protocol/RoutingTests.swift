import CartAPI
import CartDomain
import Testing

/// The way in: paths, methods, escapes, sizes, types.
@Suite struct Routing {
  let shop: Shop

  init() throws { shop = try Shop() }

  @Test(arguments: [
    "", "/", "/v1", "/v1/", "/v1/cart/", "/v1//cart", "//v1/cart", "/v1/cart//lines", "/v1/cart/lines/",
    "/v1/cart/lines/a/b", "/v1/cart/lines/a/", "/v1/carts", "/v1/Cart", "/V1/cart", "/v2/cart", "/v1/./cart",
    "/v1/x/../cart", "/v1/cart/lines/../selection", "/v1/cart/prices", "/v1/cart;x", "/v1%2Fcart", "/v1/cart%20",
    "/v1/cart%3Fview=summary", "v1/cart", "*", "cart", "ftp://shop.example/v1/cart", "http://shop.example",
    "http:///", "/ops", "/ops/health/", "/shop/v1/cart", "http:/v1/cart", "?view=summary", "/?/v1/cart", "/v1/cart+",
  ])
  func whatIsNotThere(target: String) {
    for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
      expectProblem(shop.send(method, target), 404, "not_found", hasCart: false)
    }
  }

  @Test(arguments: [
    "/v1/cart", "/v1/c%61rt", "/%76%31/cart", "http://shop.example/v1/cart", "HTTPS://shop.example:443/v1/cart?x",
    "/v1/cart?", "/v1/cart?/x//", "/v1/cart?view=summary&%ff=%zz",
  ])
  func whatIsThere(target: String) {
    #expect(shop.send("GET", target).status == 200)
  }

  @Test(arguments: [
    "%", "%4", "%zz", "a%", "%ff", "%C3", "%C0%AF", "%ED%A0%80", "a%C3%28b", "%00", "a%00b", "#", "a#b",
  ])
  func aBadEscapeIsAMalformedRequest(part: String) {
    for method in ["PATCH", "DELETE", "GET"] {
      expectProblem(shop.send(method, "/v1/cart/lines/" + part), 400, "malformed_request")
      expectProblem(shop.send(method, "/" + part + "/nothing"), 400, "malformed_request")
    }
  }

  @Test func rawBytesOfAPathAreUTF8() throws {
    try shop.sell("räw-用户")
    shop.send("POST", "/v1/cart/lines", #"{"sku":"räw-用户"}"#, user: "u")
    #expect(shop.send("DELETE", "/v1/cart/lines/räw-用户", user: "u").json["version"] == 2)
    let target = Array("/v1/cart/lines/".utf8) + [0xC3, 0x28]
    expectProblem(
      Answer(shop.service.respond(to: HTTPRequest(method: "DELETE", target: target, requestID: "r-1"))), 400,
      "malformed_request")
  }

  @Test(arguments: [
    "%2E", "%2e%2e", "a%2F..", "%20a", "a%20", "%09", "a%0Ab", "a%7F", String(repeating: "x", count: 65),
  ])
  func whatCannotBeASKUIsAnInvalidField(part: String) {
    expectProblem(shop.send("PATCH", "/v1/cart/lines/" + part, #"{"quantity":1}"#), 422, "invalid_field")
    expectProblem(shop.send("DELETE", "/v1/cart/lines/" + part), 422, "invalid_field")
  }

  @Test func aSKUIsOnePartDecodedOnce() throws {
    let names = ["a/b", "a//b", "/a", "50%", "%41", "a+b", "#v", "?x=1&y=2", "a b", "\"q\"", "Z\u{301}", "...", "🎁"]
    for name in names { try shop.sell(name) }
    for name in names {
      let encoded = name.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
      let entry = String(decoding: quoted(name), as: UTF8.self)
      #expect(shop.send("POST", "/v1/cart/lines", #"{"sku":\#(entry)}"#, user: "u").skus == [name])
      #expect(
        shop.send("PATCH", "/v1/cart/lines/\(encoded)", #"{"delta":1}"#, user: "u").line(name)["quantity"] == 2)
      #expect(shop.send("DELETE", "/v1/cart/lines?sku=\(encoded)", user: "u").skus == [])
    }
    try shop.sell("A")
    shop.send(
      "POST", "/v1/cart/lines", #"{"lines":[{"sku":"A"},{"sku":"%41"},{"sku":"a+b"},{"sku":"a b"}]}"#, user: "u")
    #expect(shop.send("DELETE", "/v1/cart/lines/%2541", user: "u").skus == ["A", "a+b", "a b"])
    #expect(shop.send("DELETE", "/v1/cart/lines?sku=a+b", user: "u").skus == ["A", "a+b"])
    #expect(shop.send("DELETE", "/v1/cart/lines/a+b", user: "u").skus == ["A"])
  }

  private func quoted(_ text: String) -> [UInt8] {
    [0x22] + text.utf8.flatMap { $0 == 0x22 || $0 == 0x5C ? [0x5C, $0] : [$0] } + [0x22]
  }

  static let methods: [(path: String, allowed: String)] = [
    ("/v1/cart", "GET, HEAD, DELETE, OPTIONS"), ("/v1/cart/lines", "POST, DELETE, OPTIONS"),
    ("/v1/cart/lines/x", "PATCH, DELETE, OPTIONS"), ("/v1/cart/selection", "PUT, OPTIONS"),
    ("/v1/cart/prices/acknowledge", "POST, OPTIONS"), ("/v1/cart/validate", "POST, OPTIONS"),
    ("/ops/health", "GET, HEAD, OPTIONS"),
  ]

  @Test(arguments: methods)
  func eachPathHasItsMethods(path: String, allowed: String) {
    let known = Set(allowed.split(separator: ", ").map(String.init))
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get", "", "GET ", "CONNECT"]
    where !known.contains(method) {
      let answer = shop.send(method, path, user: "\u{1}")
      expectProblem(answer, 405, "method_not_allowed")
      #expect(answer["Allow"] == allowed)
    }
    let options = shop.send("OPTIONS", path, user: "\u{1}", headers: [.origin: "https://evil.example"])
    #expect(options.status == 204)
    #expect(options["Allow"] == allowed)
    #expect(options.response.body == [])
    #expect(options.response.fields.allSatisfy { !$0.name.hasPrefix("Access-Control") })
  }

  @Test func aBasePathIsTakenOff() throws {
    let shop = try Shop(Shop.configuration(basePath: "/a shop/b/"))
    for target in ["/a%20shop/b/v1/cart", "/a%20shop/%62/v1/cart?x", "/ops/health", "/a%20shop/b/ops/health"] {
      #expect(shop.send("GET", target).status == 200, "\(target)")
    }
    for target in ["/v1/cart", "/a%20shop/v1/cart", "/a%20shop/b/b/v1/cart", "/b/a%20shop/v1/cart", "/a%20shop/b"] {
      expectProblem(shop.send("GET", target), 404, "not_found")
    }
    for path in ["shop", "/a/../b"] {
      #expect(throws: APIConfiguration.Invalid.self) { try Shop.configuration(basePath: path) }
    }
  }

  @Test func aTargetMayBeTooLong() {
    let fits = "/v1/cart?" + String(repeating: "x", count: 32 * 1024 - 9)
    #expect(shop.send("GET", fits).status == 200)
    expectProblem(shop.send("GET", fits + "x"), 414, "uri_too_long")
  }

  @Test func everyAnswerCarriesItsHeaders() {
    for method in ["GET", "HEAD"] {
      let answer = shop.send(method, "/v1/cart")
      #expect(answer["Cache-Control"] == "private, no-cache")
      #expect(answer["Request-Id"] == "r-1")
      #expect(answer["Content-Type"] == "application/json")
      #expect(answer.response.isHead == (method == "HEAD"))
      #expect(!answer.response.body.isEmpty)
      #expect(Set(answer.response.fields.map(\.name)).count == answer.response.fields.count)
    }
    #expect(shop.send("DELETE", "/v1/cart")["Cache-Control"] == "no-store")
    #expect(shop.send("DELETE", "/nothing")["Cache-Control"] == "no-store")
    #expect(shop.send("OPTIONS", "/v1/cart")["Request-Id"] == "r-1")
    for id in ["", String(repeating: "x", count: 65), "a b", "a\nb", "é"] {
      let answer = shop.service.respond(
        to: HTTPRequest(method: "GET", target: Array("/v1/cart".utf8), requestID: id))
      #expect(answer["Request-Id"] == nil)
    }
  }

  @Test(arguments: [
    "application/json", "Application/JSON ; Charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json;",
    "application/json; profile=x",
  ])
  func theTypeIsJSON(type: String) throws {
    try shop.sell("A")
    #expect(shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: [.contentType: type]).status == 200)
  }

  @Test(arguments: [
    "text/plain", "application/x-www-form-urlencoded", "text/json", "application/jsonx", "application/problem+json",
    "json", "text/plain; application/json", "application/json; charset=latin1", "application/json, text/plain", ";",
  ])
  func anotherTypeIsRefused(type: String) {
    expectProblem(
      shop.send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: [.contentType: type]), 415, "not_json")
    // Without a body no type is wrong; what is missing is the body.
    expectProblem(shop.send("POST", "/v1/cart/lines", "", headers: [.contentType: type]), 400, "malformed_json")
  }

  @Test func aDeleteTakesNoBody() {
    for target in ["/v1/cart", "/v1/cart/lines/A", "/v1/cart/lines?selected=true"] {
      expectProblem(shop.send("DELETE", target, "{}"), 400, "malformed_request")
      #expect(shop.send("DELETE", target, "").status == 200)
    }
    #expect(shop.send("GET", "/v1/cart", "not json").status == 200)
  }

  @Test func metaVariablesMakeARequest() throws {
    try shop.sell("A")
    let variables = [
      "REQUEST_METHOD": "POST", "REQUEST_URI": "/v1/cart/lines", "REQUEST_SCHEME": "https", "HTTP_HOST": "shop.example",
      "CART_USER": "", "REQUEST_ID": "id-7", "CONTENT_TYPE": "application/json", "HTTP_ORIGIN": "https://shop.example",
      "HTTP_IF_MATCH": "\"0-x\"", "HTTP_IDEMPOTENCY_KEY": "k", "HTTP_COOKIE": "a=b", "HTTP_GUEST_CART_ID": "x",
      "HTTP_IF_NONE_MATCH": "*", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_AUTHORIZATION": "Basic x",
    ]
    var asked: Set<String> = []
    let request = HTTPRequest(
      metaVariable: { name in
        asked.insert(name)
        return variables[name].map { Array($0.utf8)[...] }
      }, body: Array(#"{"sku":"A"}"#.utf8), isBodyTooLarge: false)
    #expect(asked == Set(variables.keys))
    for header in HTTPRequest.Header.allCases { #expect(request[header] == variables[header.metaVariable]) }
    let answer = shop.service.respond(to: request)
    #expect(answer.status == 200)
    #expect(answer["Request-Id"] == "id-7")
    #expect(answer["Set-Cookie"]?.hasSuffix("; Secure") == true)
    for (https, scheme) in [("on", "https"), ("ON", "https"), ("", "http"), ("off", "http")] {
      let request = HTTPRequest(
        metaVariable: { $0 == "HTTPS" ? Array(https.utf8)[...] : nil }, body: [], isBodyTooLarge: false)
      #expect(request.scheme == scheme)
    }
    let nothing = shop.service.respond(to: HTTPRequest(metaVariable: { _ in nil }, body: [], isBodyTooLarge: false))
    #expect(nothing.status == 404)
  }
}
