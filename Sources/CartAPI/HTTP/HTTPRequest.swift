/// One HTTP request as the web server hands it on: plain values, nothing of it trusted.
package struct HTTPRequest: Sendable {
  /// The header fields that the API reads.
  package enum Header: Int, CaseIterable, Sendable {
    case authorization
    case contentType
    case cookie
    case guestCartID
    case idempotencyKey
    case ifMatch
    case ifNoneMatch
    case origin
    case secFetchSite

    /// The meta-variable that carries the field (RFC 3875 §4.1.18), `HTTP_IF_MATCH`.
    package var metaVariable: String {
      switch self {
      case .authorization: "HTTP_AUTHORIZATION"
      case .contentType: "CONTENT_TYPE"
      case .cookie: "HTTP_COOKIE"
      case .guestCartID: "HTTP_GUEST_CART_ID"
      case .idempotencyKey: "HTTP_IDEMPOTENCY_KEY"
      case .ifMatch: "HTTP_IF_MATCH"
      case .ifNoneMatch: "HTTP_IF_NONE_MATCH"
      case .origin: "HTTP_ORIGIN"
      case .secFetchSite: "HTTP_SEC_FETCH_SITE"
      }
    }
  }

  /// `GET`; case-sensitive.
  package var method: String
  /// The target as the client sent it, undecoded: origin-form or absolute-form (RFC 9112 §3.2).
  package var target: [UInt8]
  /// `http` or `https`, as the client sees it.
  package var scheme: String
  /// The field `Host`, with its port if it has one.
  package var host: String
  /// The user that the web server vouches for, as its bytes came; empty for none.
  package var cartUser: [UInt8]
  /// The web server's name of the request, at most 64 printable ASCII characters; empty for none.
  package var requestID: String
  /// Empty if ``isBodyTooLarge``.
  package var body: [UInt8]
  package var isBodyTooLarge: Bool

  /// By the position of each ``Header``; empty if the field is absent: a web server that passes parameters on
  /// explicitly sends an absent field as an empty one.
  private var headers = [String](repeating: "", count: Header.allCases.count)

  package init(
    method: String, target: [UInt8], scheme: String = "http", host: String = "", cartUser: [UInt8] = [],
    requestID: String = "", headers: [Header: String] = [:], body: [UInt8] = [], isBodyTooLarge: Bool = false
  ) {
    self.method = method
    self.target = target
    self.scheme = scheme
    self.host = host
    self.cartUser = cartUser
    self.requestID = Self.isPresentable(requestID) ? requestID : ""
    self.body = body
    self.isBodyTooLarge = isBodyTooLarge
    for (header, value) in headers { self.headers[header.rawValue] = value }
  }

  /// Reads the meta-variables of RFC 3875 §4.1, and those that the web server adds: `REQUEST_URI`, `REQUEST_SCHEME`
  /// (else `HTTPS`), `REQUEST_ID` and `CART_USER`.
  ///
  /// - Parameter metaVariable: the bytes of the variable of that name, `nil` if it did not come.
  package init(metaVariable: (String) -> ArraySlice<UInt8>?, body: [UInt8], isBodyTooLarge: Bool) {
    func text(_ name: String) -> String {
      metaVariable(name).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    // Not every web server names the scheme; most show TLS by `HTTPS`.
    var scheme = text("REQUEST_SCHEME")
    if scheme.isEmpty { scheme = text("HTTPS").lowercased() == "on" ? "https" : "http" }
    self.init(
      method: text("REQUEST_METHOD"), target: Array(metaVariable("REQUEST_URI") ?? []), scheme: scheme,
      host: text("HTTP_HOST"), cartUser: Array(metaVariable("CART_USER") ?? []),
      requestID: text("REQUEST_ID"), body: body, isBodyTooLarge: isBodyTooLarge)
    for header in Header.allCases { headers[header.rawValue] = text(header.metaVariable) }
  }

  /// The field's value; `nil` if it is absent or empty. Bytes that are not UTF-8 are replaced by U+FFFD.
  package subscript(header: Header) -> String? {
    let value = headers[header.rawValue]
    return value.isEmpty ? nil : value
  }

  private static func isPresentable(_ requestID: String) -> Bool {
    requestID.utf8.count <= 64 && requestID.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }
}

/// `Content-Type` (RFC 9110 §8.3).
enum MediaType {
  /// Whether a body is `application/json` in UTF-8, which is what JSON is always written in.
  static func isJSON(_ header: String) -> Bool {
    if header == "application/json" { return true }
    let parts = header.lowercased().split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
    guard parts.first == "application/json" else { return false }
    return parts.dropFirst().allSatisfy { parameter in
      guard parameter.hasPrefix("charset=") else { return true }
      let charset = parameter.dropFirst("charset=".count)
      return charset == "utf-8" || charset == "\"utf-8\""
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
