import Foundation
import Testing

/// A client of the API that keeps its identity as a browser or an app would.
final class Shopper {
  /// The cookie `guestCartId`, taken over from answers unless `header` is used in its place.
  var cookie: String?
  /// The header `Guest-Cart-Id`.
  var header: String?
  /// The cookie `demoUser`.
  let user: String?
  let connection = HTTPConnection()

  init(user: String? = nil) { self.user = user }

  /// A user that no other test knows.
  static func newUser() -> Shopper { Shopper(user: "e2e-" + UUID().uuidString) }

  /// Someone without an identity yet.
  static func newGuest() -> Shopper { Shopper() }

  // MARK: Requests

  func send(
    _ method: String, _ target: String, _ body: JSON? = nil, headers: [(name: String, value: String)] = []
  ) throws -> HTTPResponse {
    try send(method, target, bytes: body.map { Array($0.description.utf8) }, headers: headers)
  }

  func send(
    _ method: String, _ target: String, bytes: [UInt8]?, headers: [(name: String, value: String)] = []
  ) throws -> HTTPResponse {
    var request = HTTPRequest(method: method, target: target, headers: identity + headers, body: bytes)
    if bytes != nil, !headers.contains(where: { $0.name == "Content-Type" }) {
      request.headers.append((name: "Content-Type", value: "application/json"))
    }
    return try send(request)
  }

  func send(_ request: HTTPRequest) throws -> HTTPResponse {
    let answer = try connection.send(request)
    for line in answer.all("Set-Cookie") where line.hasPrefix("guestCartId=") {
      cookie = line.dropFirst("guestCartId=".count).split(separator: ";", omittingEmptySubsequences: false).first
        .map(String.init)
      if cookie == "" { cookie = nil }
    }
    if answer.status == 200, request.method != "HEAD", let body = try? answer.json, body.keys.contains("merchants") {
      CartShape.check(body)
    }
    return answer
  }

  /// The headers that say who this is.
  var identity: [(name: String, value: String)] {
    let cookies = [user.map { "demoUser=\($0)" }, cookie.map { "guestCartId=\($0)" }].compactMap(\.self)
    var headers = cookies.isEmpty ? [] : [(name: "Cookie", value: cookies.joined(separator: "; "))]
    if let header { headers.append((name: "Guest-Cart-Id", value: header)) }
    return headers
  }

  // MARK: The cart, where success is expected

  func cart() throws -> JSON { try ok(send("GET", "/v1/cart")) }

  @discardableResult
  func add(_ sku: String, _ quantity: Int? = nil, extraData: JSON? = nil) throws -> JSON {
    var body: JSON = ["sku": "\(sku)"]
    if let quantity { body = body.setting("quantity", .int(quantity)) }
    if let extraData { body = body.setting("extraData", extraData) }
    return try ok(send("POST", "/v1/cart/lines", body))
  }

  /// Adds several in one request.
  @discardableResult
  func add(_ lines: [(sku: String, quantity: Int)]) throws -> JSON {
    try ok(send("POST", "/v1/cart/lines", .bulk(lines)))
  }

  @discardableResult
  func patch(_ sku: String, _ body: JSON) throws -> JSON { try ok(send("PATCH", linePath(sku), body)) }

  @discardableResult
  func remove(_ sku: String) throws -> JSON { try ok(send("DELETE", linePath(sku))) }

  @discardableResult
  func clear() throws -> JSON { try ok(send("DELETE", "/v1/cart")) }

  @discardableResult
  func select(_ body: JSON) throws -> JSON { try ok(send("PUT", "/v1/cart/selection", body)) }

  @discardableResult
  func acknowledge(_ body: JSON = [:]) throws -> JSON { try ok(send("POST", "/v1/cart/prices/acknowledge", body)) }

  private func ok(_ answer: HTTPResponse) throws -> JSON {
    guard answer.status == 200 else {
      throw BadResponse(
        reason: "status \(answer.status) where 200 is due: \(String(decoding: answer.body.prefix(500), as: UTF8.self))")
    }
    return try answer.json
  }
}

extension JSON {
  /// The body of an add of several lines.
  static func bulk(_ lines: [(sku: String, quantity: Int)]) -> JSON {
    ["lines": .array(lines.map { ["sku": "\($0.sku)", "quantity": .int($0.quantity)] })]
  }

  /// The line of this SKU in a cart.
  func line(_ sku: String) -> JSON { self["lines"].elements.first { $0["sku"].string == sku } ?? .absent }

  /// The SKUs of a cart's lines, in their order.
  var skus: [String] { self["lines"].elements.compactMap(\.["sku"].string) }

  /// The problems of a cart as `code sku`.
  var problemCodes: Set<String> {
    Set(self["problems"].elements.map { "\($0["code"].string ?? "?") \($0["sku"].string ?? "")" })
  }
}

/// The path of one line, every byte encoded that is not unreserved (RFC 3986, section 2.3).
func linePath(_ sku: String) -> String { "/v1/cart/lines/" + percentEncoded(sku) }

func percentEncoded(_ text: String) -> String {
  let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
  return text.utf8.map { byte in
    if unreserved.contains(byte) { return String(UnicodeScalar(byte)) }
    let digits = String(byte, radix: 16, uppercase: true)
    return "%" + (digits.count == 1 ? "0" : "") + digits
  }.joined()
}
