/// Where a request carries the shop's token: `Authorization: Bearer …` (RFC 6750 §2.1), else the cookie `cartSession`.
enum SessionToken {
  static let cookieName = "cartSession"

  /// The token, or what was sent as one; `nil` if there is none. A cookie without a value is none, because a logout may
  /// leave it behind.
  ///
  /// - Throws: ``TokenFault/ambiguous`` for cookies that differ: a sibling domain may have planted one of them.
  static func find(in request: HTTPRequest) throws(TokenVerifier.Refusal) -> [UInt8]? {
    if let field = request[.authorization], let token = bearer(field) { return token }
    guard let field = request[.cookie] else { return nil }
    let values = CookieField.values(of: cookieName, in: field).filter { !$0.isEmpty }
    guard let first = values.first else { return nil }
    guard values.allSatisfy({ $0 == first }) else { throw .fault(.ambiguous) }
    return Array(first)
  }

  /// What follows the scheme `Bearer`, in whatever case; `nil` for another scheme.
  private static func bearer(_ field: String) -> [UInt8]? {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
    let text = Array(field.utf8).drop(while: isBlank)
    let scheme = text.prefix { !isBlank($0) }
    guard scheme.count == 6, String(decoding: scheme, as: UTF8.self).lowercased() == "bearer" else { return nil }
    var token = text[scheme.endIndex...].drop(while: isBlank)
    while let last = token.last, isBlank(last) { token.removeLast() }
    return Array(token)
  }
}
