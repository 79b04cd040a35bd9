import Testing

/// A client of the API that keeps its identity as a browser or an app would.
package final class Shopper {
  /// The cookie `guestCartId`, taken over from answers.
  package var cookie: String?
  /// The header `Guest-Cart-Id`.
  package var header: String?
  package let user: String?
  package let connection: any Transport

  package init(_ connection: any Transport, user: String? = nil) {
    self.connection = connection
    self.user = user
  }

  // MARK: Requests

  package func send(
    _ method: String, _ target: String, _ body: JSON? = nil, headers: KeyValuePairs<String, String> = [:]
  ) throws -> Answer {
    try send(method, target, text: body?.description, headers: headers)
  }

  package func send(
    _ method: String, _ target: String, text: String?, headers: KeyValuePairs<String, String> = [:]
  ) throws -> Answer {
    try send(method, target, bytes: text.map { Array($0.utf8) }, headers: headers)
  }

  package func send(
    _ method: String, _ target: String, bytes: [UInt8]?, headers: KeyValuePairs<String, String> = [:]
  ) throws -> Answer {
    var request = Request(method, target, headers: headers, body: bytes)
    if bytes != nil, !headers.contains(where: { $0.key == "Content-Type" }) {
      request.add("Content-Type", "application/json")
    }
    return try send(request)
  }

  /// Sends the request with this shopper's identity.
  package func send(_ request: Request) throws -> Answer {
    let answer = try connection.send(identified(request))
    for line in answer.all("Set-Cookie") where line.hasPrefix("guestCartId=") {
      cookie = line.dropFirst("guestCartId=".count).split(separator: ";", omittingEmptySubsequences: false).first
        .map(String.init)
      if cookie == "" { cookie = nil }
    }
    if answer.status == 200, answer.json.keys.contains("merchants") { CartShape.check(answer.json) }
    return answer
  }

  package func identified(_ request: Request) -> Request {
    var request = request
    request.user = user.map { Array($0.utf8) }
    if let cookie { request.add("Cookie", "guestCartId=\(cookie)") }
    if let header { request.add("Guest-Cart-Id", header) }
    return request
  }

  // MARK: The cart, where success is expected

  package func cart() throws -> JSON { try ok(send("GET", "/v1/cart")) }

  @discardableResult
  package func add(_ sku: String, _ quantity: Int? = nil, extraData: JSON? = nil) throws -> JSON {
    var body: [String: JSON] = ["sku": .string(sku)]
    body["quantity"] = quantity.map { .int($0) }
    body["extraData"] = extraData
    return try ok(send("POST", "/v1/cart/lines", .object(body)))
  }

  /// Adds several in one request.
  @discardableResult
  package func add(_ lines: [(sku: String, quantity: Int)]) throws -> JSON {
    try ok(send("POST", "/v1/cart/lines", .bulk(lines)))
  }

  @discardableResult
  package func patch(_ sku: String, _ body: JSON) throws -> JSON { try ok(send("PATCH", linePath(sku), body)) }

  @discardableResult
  package func remove(_ sku: String) throws -> JSON { try ok(send("DELETE", linePath(sku))) }

  @discardableResult
  package func clear() throws -> JSON { try ok(send("DELETE", "/v1/cart")) }

  @discardableResult
  package func select(_ body: JSON) throws -> JSON { try ok(send("PUT", "/v1/cart/selection", body)) }

  @discardableResult
  package func acknowledge(_ body: JSON = [:]) throws -> JSON {
    try ok(send("POST", "/v1/cart/prices/acknowledge", body))
  }

  private func ok(_ answer: Answer) throws -> JSON {
    guard answer.status == 200 else {
      throw BadResponse(reason: "status \(answer.status) where 200 is due: \(answer.text.prefix(500))")
    }
    return answer.json
  }
}

/// The path of one line, every byte encoded that is not unreserved (RFC 3986, section 2.3).
package func linePath(_ sku: String) -> String { "/v1/cart/lines/" + percentEncoded(sku) }

package func percentEncoded(_ text: String) -> String {
  let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
  return text.utf8.map { byte in
    if unreserved.contains(byte) { return String(UnicodeScalar(byte)) }
    let digits = String(byte, radix: 16, uppercase: true)
    return "%" + (digits.count == 1 ? "0" : "") + digits
  }.joined()
}
