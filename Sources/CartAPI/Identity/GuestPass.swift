import CartDomain

/// A guest as a client shows it: the value of the cookie `guestCartId` and of the header `Guest-Cart-Id`.
struct GuestPass {
  let id: GuestCartID
  /// The MAC under the secret in force, in base64url.
  fileprivate let code: [UInt8]

  /// `<id>.<MAC>`: the same as the client sent, but after a rotation.
  var value: String { "\(id.text).\(String(decoding: code, as: UTF8.self))" }
}

/// Issues and checks guest passes. A pass is 128 random bits in base64url, a dot, and 128 bits of HMAC-SHA-256 over
/// them, in base64url too; without the secret none can be made that is accepted.
final class GuestPassIssuer {
  private static let idBytes = 16
  private static let codeBytes = 16
  /// Characters of base64url for 16 bytes.
  private static let encodedLength = 22
  /// Keeps codes for guests apart from whatever else the secret may sign one day.
  private static let purpose = Array("guestCartId:".utf8)

  private let authenticators: [MessageAuthenticator]

  /// - Parameter secrets: the first signs, all verify; at least one.
  init(secrets: [[UInt8]]) throws(Cryptography.Failure) {
    var authenticators: [MessageAuthenticator] = []
    for secret in secrets { authenticators.append(try MessageAuthenticator(key: secret)) }
    self.authenticators = authenticators
  }

  func issue() throws(Cryptography.Failure) -> GuestPass {
    let random = Base64URL.encode(try Cryptography.random(Self.idBytes)[...])
    guard let signer = authenticators.first, let id = GuestCartID(String(decoding: random, as: UTF8.self)) else {
      throw Cryptography.Failure()
    }
    return GuestPass(id: id, code: try Self.code(for: random[...], by: signer))
  }

  /// `nil` for a value that no secret in force has signed.
  func verify(_ value: ArraySlice<UInt8>) throws(Cryptography.Failure) -> GuestPass? {
    guard value.count == Self.encodedLength * 2 + 1 else { return nil }
    let text = value.prefix(Self.encodedLength)
    let shown = value.suffix(Self.encodedLength)
    guard value[text.endIndex] == UInt8(ascii: ".") else { return nil }
    for (index, authenticator) in authenticators.enumerated() {
      // The codes are compared as text: base64 has several spellings of the same bits.
      var code = try Self.code(for: text, by: authenticator)
      guard Cryptography.areEqual(code, Array(shown)), let id = GuestCartID(String(decoding: text, as: UTF8.self))
      else {
        continue
      }
      if index > 0 { code = try Self.code(for: text, by: authenticators[0]) }
      return GuestPass(id: id, code: code)
    }
    return nil
  }

  private static func code(
    for id: ArraySlice<UInt8>, by authenticator: MessageAuthenticator
  ) throws(Cryptography.Failure) -> [UInt8] {
    Base64URL.encode(try authenticator.code(for: purpose + id).prefix(codeBytes))
  }
}

/// The cookie that carries a guest's pass (RFC 6265).
enum GuestCookie {
  static let name = "guestCartId"
  /// Seconds: a guest's cart lives as long.
  static let maximumAge = Cart.guestLifetimeMilliseconds / 1000

  /// The value of `Set-Cookie` that makes a browser forget its pass.
  static let clearing = "\(name)=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"

  /// The value of `Set-Cookie` that issues or renews `pass`. The path is the whole site's, also if the shop has a
  /// base path: pages outside it may show the cart too.
  static func issuing(_ pass: GuestPass, isSecure: Bool) -> String {
    "\(name)=\(pass.value); Path=/; Max-Age=\(maximumAge); HttpOnly; SameSite=Lax\(isSecure ? "; Secure" : "")"
  }
}
