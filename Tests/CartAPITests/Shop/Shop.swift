import CartAPI
import CartDomain
import Testing

/// A shop in memory: a service, its catalogue, its carts and its clock.
final class Shop {
  /// 2026-11-22T10:00:00Z.
  static let opening = Timestamp(seconds: 1_795_341_600)

  final class Clock {
    var now = Shop.opening

    func advance(days: Int64 = 0, milliseconds: Int64 = 0) {
      now = now.adding(milliseconds: days * 86_400_000 + milliseconds)
    }
  }

  let clock = Clock()
  let catalogue = CountingCatalogue()
  let store: CountingStore
  let service: CartService

  init(_ configuration: APIConfiguration? = nil) throws {
    let clock = clock
    store = CountingStore(InMemoryCartStore(catalogue: catalogue.inner) { clock.now })
    service = try CartService(
      store: store, catalogue: catalogue, configuration: configuration ?? Self.configuration()
    ) { clock.now }
  }

  static let secret = [UInt8](repeating: 0x5A, count: 32)

  static func configuration(
    basePath: String = "", origins: String = "", secret: [UInt8] = secret, oldSecret: [UInt8]? = nil,
    cookieSecurity: APIConfiguration.CookieSecurity = .auto
  ) throws -> APIConfiguration {
    try APIConfiguration(
      basePath: basePath, origins: origins, guestSecret: secret, oldGuestSecret: oldSecret,
      cookieSecurity: cookieSecurity)
  }

  // MARK: The catalogue

  private var revisions = 0

  /// Sells a product from now on.
  func sell(
    _ sku: String, price: Int64 = 100, stock: Int? = nil, currency: String = "GBP", merchant: String = "main",
    _ change: (inout ProductRevision.Content) -> Void = { _ in }
  ) throws {
    revisions += 1
    var content = ProductRevision.Content(
      sku: try #require(SKU(sku)), merchantID: try #require(MerchantID(merchant)), name: "Name of \(sku)",
      unitPrice: Money(minorUnits: price, currency: try #require(Currency(currency))))
    change(&content)
    let number = String(revisions)
    let id = try #require(RevisionID("rev" + String(repeating: "0", count: 8 - number.count) + number))
    catalogue.inner.put(content, revision: id, stock: stock)
  }

  // MARK: Requests

  typealias Headers = [HTTPRequest.Header: String]

  @discardableResult
  func send(
    _ method: String, _ target: String, _ body: String? = nil, user: String? = nil, headers: Headers = [:],
    scheme: String = "http"
  ) -> Answer {
    var headers = headers
    if body != nil, headers[.contentType] == nil { headers[.contentType] = "application/json" }
    return Answer(
      service.respond(
        to: HTTPRequest(
          method: method, target: Array(target.utf8), scheme: scheme, host: "shop.example",
          cartUser: Array((user ?? "").utf8), requestID: "r-1", headers: headers, body: Array((body ?? "").utf8))))
  }
}

/// A response with its body read.
struct Answer {
  let response: HTTPResponse

  init(_ response: HTTPResponse) { self.response = response }

  var status: Int { response.status }
  var text: String { String(decoding: response.body, as: UTF8.self) }
  /// `absent` where the body is no JSON.
  var json: JSON { (try? JSON(response.body)) ?? .absent }
  var code: String? { json["code"].string }
  var pointers: [String?] { json["errors"].elements.map(\.["pointer"].string) }
  var codes: [String?] { json["errors"].elements.map(\.["code"].string) }
  var skus: [String] { json["lines"].elements.compactMap(\.["sku"].string) }

  subscript(name: String) -> String? { response[name] }

  func line(_ sku: String) -> JSON { json["lines"].elements.first { $0["sku"] == .string(sku) } ?? .absent }
}

/// The answer is this problem, in the form that all of them have.
func expectProblem(
  _ answer: Answer, _ status: Int, _ code: String, pointer: String? = nil, hasCart: Bool? = nil,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let comment = Comment(rawValue: answer.text)
  #expect(answer.status == status, comment, sourceLocation: sourceLocation)
  #expect(answer["Content-Type"] == "application/problem+json", sourceLocation: sourceLocation)
  #expect(answer["Set-Cookie"] == nil, sourceLocation: sourceLocation)
  let problem = answer.json
  #expect(
    problem.keys.subtracting(["cart"]) == ["type", "title", "status", "code", "detail", "requestId", "errors"],
    comment, sourceLocation: sourceLocation)
  #expect(problem["type"] == "about:blank", sourceLocation: sourceLocation)
  #expect(problem["status"] == .integer(status), sourceLocation: sourceLocation)
  #expect(answer.code == code, comment, sourceLocation: sourceLocation)
  #expect(answer.codes.first == code, comment, sourceLocation: sourceLocation)
  #expect(problem["requestId"] == "r-1", sourceLocation: sourceLocation)
  if let pointer { #expect(answer.pointers.first == pointer, comment, sourceLocation: sourceLocation) }
  if let hasCart { #expect((problem["cart"] != .absent) == hasCart, comment, sourceLocation: sourceLocation) }
}
