import CartDomain

/// A guest as a client shows it: the value of the cookie `guestCartId` and of the header `Guest-Cart-Id`.
struct GuestPass: Equatable {
  let id: GuestCartID
  /// `<id>.<MAC>`, signed under the secret in force: the same as the client sent, but after a rotation.
  let value: String
}

/// Issues and checks guest passes. A pass is 128 random bits in base64url, a dot, and 128 bits of HMAC-SHA-256 over
/// them, in base64url too; only who knows the secret makes one that is known.
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
    guard let signer = authenticators.first,
      let id = GuestCartID(Base64URL.encode(try Cryptography.random(Self.idBytes)))
    else { throw Cryptography.Failure() }
    return GuestPass(id: id, value: id.text + "." + (try Self.code(for: id.text.utf8, by: signer)))
  }

  /// `nil` for a value that no secret in force has signed.
  func verify(_ value: some Collection<UInt8>) throws(Cryptography.Failure) -> GuestPass? {
    guard value.count == Self.encodedLength * 2 + 1 else { return nil }
    let text = value.prefix(Self.encodedLength)
    let rest = value.dropFirst(Self.encodedLength)
    guard rest.first == UInt8(ascii: "."), let id = GuestCartID(String(decoding: text, as: UTF8.self)) else {
      return nil
    }
    let shown = Array(rest.dropFirst())
    var current: String?
    for (index, authenticator) in authenticators.enumerated() {
      // The codes are compared as text: base64 has several spellings of the same bits.
      let code = try Self.code(for: text, by: authenticator)
      if index == 0 { current = code }
      if Cryptography.areEqual(Array(code.utf8), shown), let current {
        return GuestPass(id: id, value: id.text + "." + current)
      }
    }
    return nil
  }

  private static func code(
    for id: some Collection<UInt8>, by authenticator: MessageAuthenticator
  ) throws(Cryptography.Failure) -> String {
    Base64URL.encode(try authenticator.code(for: purpose + id).prefix(codeBytes))
  }
}
