import CartDomain
import TestSupport

@testable import CartAPI

/// A shop's login that signs with HS256.
struct TokenMint {
  var secret = [UInt8](repeating: 0x4B, count: 32)
  var header = #"{"alg":"HS256","typ":"JWT"}"#

  /// Seconds since 1970 at the opening of the shop.
  static let opening = Shop.opening.seconds

  func token(_ claims: String) throws -> String {
    let message = Self.encoded(header) + "." + Self.encoded(claims)
    let code = try MessageAuthenticator(key: secret).code(for: Array(message.utf8))
    return message + "." + String(decoding: Base64URL.encode(code[...]), as: UTF8.self)
  }

  /// For `user`, until an hour after the opening; `more` stands behind it, `,"aud":"x"`.
  func token(for user: String = "ada", _ more: String = "") throws -> String {
    try token(#"{"sub":"\#(user)","exp":\#(Self.opening + 3600)\#(more)}"#)
  }

  static func encoded(_ text: String) -> String {
    String(decoding: Base64URL.encode(Array(text.utf8)[...]), as: UTF8.self)
  }

  func configuration(audience: String = "", issuer: String = "", leeway: Int = 0) throws -> TokenConfiguration {
    try TokenConfiguration(
      algorithm: .hs256, keyFiles: [.init(path: "/etc/cartd/now.key", contents: secret)], audience: audience,
      issuer: issuer, leeway: leeway)
  }
}

extension Shop {
  /// A shop in which users may show tokens, and that sells "A".
  convenience init(tokens: TokenConfiguration?) throws {
    try self.init(APIConfiguration(guestSecret: Shop.secret, tokens: tokens))
    try sell("A")
  }

  /// One that takes tokens signed for public keys.
  convenience init(_ algorithm: TokenConfiguration.Algorithm, _ keys: String...) throws {
    let files = keys.enumerated().map {
      TokenConfiguration.KeyFile(path: "/k/\($0.offset).pem", contents: Array($0.element.utf8))
    }
    try self.init(tokens: TokenConfiguration(algorithm: algorithm, keyFiles: files))
  }

  /// Adds "A" to the cart of whoever shows the token.
  func add(bearing token: String) -> Answer {
    send("POST", "/v1/cart/lines", #"{"sku":"A"}"#, headers: [.authorization: "Bearer " + token])
  }
}
