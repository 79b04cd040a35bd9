import CartAPI
import CartDomain
import TestSupport
import Testing

/// The way in: paths, methods, escapes, sizes, types.
@Suite struct Routing {
  let shop: Shop

  init() throws { shop = try Shop() }

  /// Most are targets that nginx does not hand on, or not with such methods.
  @Test(arguments: [
    "", "/", "/V1/cart", "/v2/cart", "v1/cart", "*", "cart", "ftp://shop.example/v1/cart", "http://shop.example",
    "http:///", "/ops", "/ops/health/", "/shop/v1/cart", "http:/v1/cart", "?view=summary", "/?/v1/cart",
    "/v1", "/v1/cart/", "/v1//cart", "//v1/cart", "/v1/cart/lines/a/b", "/v1/x/../cart", "/v1%2Fcart", "/v1/cart%20",
  ])
  func whatIsNotThere(target: String) {
    for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
      expectProblem(shop.send(method, target), 404, "not_found", hasCart: false)
    }
  }

  @Test(arguments: ["/%76%31/cart", "http://shop.example/v1/cart", "HTTPS://shop.example:443/v1/cart?x"])
  func whatIsThere(target: String) {
    #expect(shop.send("GET", target).status == 200)
  }

  @Test(arguments: [
    ("/v1/cart", "GET, HEAD, DELETE, OPTIONS"), ("/v1/cart/lines", "POST, DELETE, OPTIONS"),
    ("/ops/health", "GET, HEAD, OPTIONS"),
  ])
  func whatIsNoMethodIsNotAllowed(path: String, allowed: String) {
    for method in ["PROPFIND", "get", "", "GET ", "CONNECT", "PUT"] {
      let answer = shop.send(method, path, user: "\u{1}")
      expectProblem(answer, 405, "method_not_allowed")
      #expect(answer["Allow"] == allowed)
    }
    #expect(shop.send("OPTIONS", path, user: "\u{1}")["Allow"] == allowed)
  }

  @Test(arguments: ["%", "%4", "%zz", "a%", "%ff", "%C3", "%C0%AF", "%ED%A0%80", "a%C3%28b", "%00", "#", "a#b"])
  func aBadEscapeIsMalformedWhereverItStands(part: String) {
    for target in ["/v1/cart/lines/" + part, "/" + part + "/nothing"] {
      expectProblem(shop.send("GET", target), 400, "malformed_request")
    }
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
      let answer = shop.service.respond(to: HTTPRequest(method: method, target: Array("/v1/cart".utf8), requestID: "r"))
      #expect(answer["Request-Id"] == "r")
      #expect(answer.isHead == (method == "HEAD"))
      #expect(!answer.body.isEmpty)
      #expect(Set(answer.fields.map(\.name)).count == answer.fields.count)
    }
    #expect(shop.send("DELETE", "/nothing")["Cache-Control"] == "no-store")
    for id in ["", String(repeating: "x", count: 65), "a b", "a\nb", "é"] {
      let answer = shop.service.respond(
        to: HTTPRequest(method: "GET", target: Array("/v1/cart".utf8), requestID: id))
      #expect(answer["Request-Id"] == nil)
    }
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
