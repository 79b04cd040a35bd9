import CartDomain
import TestSupport
import Testing

@testable import CartAPI

/// What is served as it was built in, and how far the description speaks of this very server. That answers are as
/// described is asked of the running system, in Tests/OpenAPI.
@Suite struct Documents {
  let shop: Shop

  init() throws {
    shop = try Shop()
    description = try Self.served.get()
  }

  @Test(arguments: [
    ("/v1/openapi.json", "application/json"), ("/v1/cart.js", "text/javascript; charset=utf-8"),
  ])
  func aFileIsServedToAnybody(path: String, type: String) throws {
    let answer = shop.send(
      "GET", path, user: "not\u{1}a user", headers: [.guestCartID: "forged", .authorization: "Bearer forged"])
    #expect(answer.status == 200)
    #expect(!answer.body.isEmpty)
    #expect(answer["Content-Type"] == type)
    #expect(answer["Cache-Control"] == "public, no-cache")
    #expect(answer["Set-Cookie"] == nil)
    let tag = try #require(answer["ETag"])
    for condition in [tag, "W/" + tag, "\"x\", " + tag, "*"] {
      let known = shop.send("GET", path, headers: [.ifNoneMatch: condition])
      #expect(known.status == 304)
      #expect(known.body.isEmpty)
      #expect(known["ETag"] == tag)
      #expect(known["Cache-Control"] == "public, no-cache")
    }
    #expect(shop.send("GET", path, headers: [.ifNoneMatch: #""1-0a1b2c3d4e5f6071""#]).status == 200)
    let head = shop.service.respond(to: HTTPRequest(method: "HEAD", target: Array(path.utf8)))
    #expect(head.isHead)
    #expect(head.body == answer.body)
    #expect(shop.send("OPTIONS", path)["Allow"] == "GET, HEAD, OPTIONS")
    #expect(shop.store.calls == 0)
    #expect(shop.catalogue.calls == 0)
  }

  @Test(arguments: [("", "/"), ("/shop", "/shop"), ("/my \"shop\"/ä", "/my%20%22shop%22/%C3%A4")])
  func theDescriptionKnowsWhereItIs(basePath: String, url: String) throws {
    let atRoot = shop.send("GET", "/v1/openapi.json").text
    let server = #""servers": [{"url": "/"#
    #expect(atRoot.contains(server + #"","#))
    let shop = try Shop(try Shop.configuration(basePath: basePath))
    let document = shop.send("GET", (url == "/" ? "" : url) + "/v1/openapi.json").text
    #expect(document == atRoot.replacing(server, with: server.dropLast() + url, maxReplacements: 1))
  }

  // MARK: What it says

  /// Read once: it is long.
  private static let served = Result { try Shop().send("GET", "/v1/openapi.json").json }

  private let description: JSON

  @Test func itSpeaksOfEachRouteAndOfNothingElse() {
    let paths = description["paths"]
    let described = paths.keys.flatMap { path in
      paths[path].keys.subtracting(["parameters", "servers"]).map { "\($0.uppercased()) \(path)" }
    }
    #expect(described.sorted() == CartService.routes.sorted())
  }

  @Test func itSpeaksOfEachErrorAndOfNothingElse() {
    let known = ErrorCode.allCases.map(\.rawValue) + Self.webServers.keys
    #expect(
      description["components"]["schemas"]["ErrorCode"]["enum"].elements.compactMap(\.string).sorted() == known.sorted()
    )
  }

  @Test(arguments: ErrorCode.allCases) func eachErrorHasAnExample(code: ErrorCode) {
    let components = description["components"]
    let problem = components["examples"][code.rawValue]["value"]
    #expect(problem["code"].string == code.rawValue)
    #expect(problem["status"].int == code.status)
    #expect(problem["title"].string == code.title)
    let shown = components["responses"].keys.filter { name in
      Self.content(components["responses"][name])["examples"].keys.contains(code.rawValue)
    }
    #expect(!shown.isEmpty)
    for name in shown {
      for form in Self.forms(components["responses"][name]) {
        #expect(form["status"]["enum"] == [.int(code.status)])
      }
    }
  }

  @Test func eachErrorStandsUnderItsStatus() {
    let responses = description["components"]["responses"]
    for name in responses.keys {
      for form in Self.forms(responses[name]) {
        let status = form["status"]["enum"][0].int
        for code in form["code"]["enum"].elements.compactMap(\.string) {
          // What does not answer has no code of its own: the web server speaks for it.
          if status == 502, code == "overloaded" { continue }
          #expect((ErrorCode(rawValue: code)?.status ?? Self.webServers[code]) == status, "\(name): \(code)")
        }
      }
    }
  }

  /// The codes that nginx answers by itself, with their statuses.
  private static let webServers = ["forbidden": 403]

  private static func content(_ response: JSON) -> JSON { response["content"]["application/problem+json"] }

  /// What a response says beyond the schemas of problems, with and without a cart.
  private static func forms(_ response: JSON) -> [JSON] {
    let schema = content(response)["schema"]
    let alternatives = schema["oneOf"].elements
    return (alternatives.isEmpty ? [schema] : alternatives).map(\.["allOf"][1]["properties"]).filter { $0 != .absent }
  }
}
