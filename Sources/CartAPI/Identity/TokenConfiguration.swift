/// What an operator decides about the shop's own tokens (JWT, RFC 7519).
package struct TokenConfiguration: Sendable {
  /// How tokens are signed (RFC 7518 §3.1). One is in force: a token that names another is refused.
  package enum Algorithm: String, CaseIterable, Sendable {
    /// HMAC with SHA-256: the key that checks a token can also make one.
    case hs256 = "HS256"
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rs256 = "RS256"
    /// ECDSA on P-256 with SHA-256.
    case es256 = "ES256"
  }

  /// A key as it was read.
  package struct KeyFile: Sendable {
    /// The file's name without folder and extension: a token's `kid` may be the same.
    package let name: String
    /// For HS256 the secret, for the others a public key in PEM.
    package let contents: [UInt8]

    /// - Parameter path: where `contents` were read.
    package init(path: String, contents: [UInt8]) {
      let file = path.split(separator: "/").last ?? ""
      let end = file.lastIndex(of: ".") ?? file.endIndex
      self.name = String(end == file.startIndex ? file : file[..<end])
      self.contents = contents
    }
  }

  let algorithm: Algorithm
  let keyFiles: [KeyFile]
  /// What `aud` must hold, and `iss` be; empty if it does not matter.
  let audience: String
  let issuer: String
  /// Seconds by which the clocks may differ.
  let leeway: Int

  /// - Parameters:
  ///   - keyFiles: at least one; each is tried, so that keys can be rotated.
  ///   - audience: this shop's name in `aud`; empty not to look at it.
  ///   - issuer: the name in `iss`; empty not to look at it.
  ///   - leeway: seconds that a token counts longer and earlier than it says.
  /// - Throws: if a key can't be used; the message names its file, not its contents.
  package init(
    algorithm: Algorithm, keyFiles: [KeyFile], audience: String = "", issuer: String = "", leeway: Int = 0
  ) throws(APIConfiguration.Invalid) {
    guard !keyFiles.isEmpty else { throw APIConfiguration.Invalid(message: "tokens need a key") }
    self.algorithm = algorithm
    self.keyFiles = keyFiles
    self.audience = audience
    self.issuer = issuer
    self.leeway = leeway
    // The keys themselves belong to the process that uses them.
    _ = try keys()
  }

  func keys() throws(APIConfiguration.Invalid) -> [TokenKey] {
    var keys: [TokenKey] = []
    for file in keyFiles { keys.append(try TokenKey(file, for: algorithm)) }
    return keys
  }
}
