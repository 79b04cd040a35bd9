import COpenSSL

/// A key by which tokens are checked.
final class TokenKey {
  /// What a token may call it, as its `kid`.
  let name: String
  private let verifiers: [any SignatureVerifier]

  /// - Throws: if the file does not hold a key for `algorithm`, or one that is too weak.
  init(_ file: TokenConfiguration.KeyFile, for algorithm: TokenConfiguration.Algorithm) throws(APIConfiguration.Invalid)
  {
    name = file.name
    do throws(Unusable) {
      switch algorithm {
      case .hs256: verifiers = try Self.secrets(file.contents)
      case .rs256: verifiers = [try RSAVerifier(PublicKey(pem: file.contents))]
      case .es256: verifiers = [try ECDSAVerifier(PublicKey(pem: file.contents))]
      }
    } catch {
      throw APIConfiguration.Invalid(message: "the token key '\(file.name)' \(error.reason)")
    }
  }

  func verifies(_ signature: [UInt8], of message: [UInt8]) throws(Cryptography.Failure) -> Bool {
    for verifier in verifiers where try verifier.verifies(signature, of: message) { return true }
    return false
  }

  /// Why a file is no key: the end of a sentence, free of what it holds.
  fileprivate struct Unusable: Error {
    let reason: String
  }

  /// The least that RFC 7518 §3.2 and §3.3 allow.
  private static let secretBytes = 32
  fileprivate static let rsaBits: Int32 = 2048

  private static func secrets(_ contents: [UInt8]) throws(Unusable) -> [any SignatureVerifier] {
    // A public key taken for a secret would let everybody sign who has it.
    guard !contents.starts(with: "-----BEGIN ".utf8) else { throw Unusable(reason: "is in PEM: HS256 takes a secret") }
    var secret = contents
    if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
    if secret.count < contents.count, secret.last == UInt8(ascii: "\r") { secret.removeLast() }
    guard secret.count >= secretBytes else { throw Unusable(reason: "has fewer than \(secretBytes) bytes") }
    // Random bytes may end like a line of text: then both readings are the shop's secret.
    let readings = secret.count == contents.count ? [secret] : [secret, contents]
    do throws(Cryptography.Failure) {
      var verifiers: [any SignatureVerifier] = []
      for reading in readings { verifiers.append(HMACVerifier(authenticator: try MessageAuthenticator(key: reading))) }
      return verifiers
    } catch {
      throw Unusable(reason: "is refused by libcrypto")
    }
  }
}

/// Checks the signatures of one key (RFC 7518 §3).
private protocol SignatureVerifier {
  func verifies(_ signature: [UInt8], of message: [UInt8]) throws(Cryptography.Failure) -> Bool
}

private struct HMACVerifier: SignatureVerifier {
  let authenticator: MessageAuthenticator

  func verifies(_ signature: [UInt8], of message: [UInt8]) throws(Cryptography.Failure) -> Bool {
    Cryptography.areEqual(try authenticator.code(for: message), signature)
  }
}

private struct RSAVerifier: SignatureVerifier {
  let key: PublicKey

  init(_ key: PublicKey) throws(TokenKey.Unusable) {
    guard key.isOfType("RSA") else { throw TokenKey.Unusable(reason: "is no RSA key") }
    guard key.bits >= TokenKey.rsaBits else {
      throw TokenKey.Unusable(reason: "has fewer than \(TokenKey.rsaBits) bits")
    }
    self.key = key
  }

  func verifies(_ signature: [UInt8], of message: [UInt8]) throws(Cryptography.Failure) -> Bool {
    guard signature.count == key.signatureBytes else { return false }
    return try key.verifies(signature, of: message, isPKCS1: true)
  }
}

private struct ECDSAVerifier: SignatureVerifier {
  /// Bytes of each of the two numbers of a signature.
  private static let numberBytes = 32
  let key: PublicKey

  init(_ key: PublicKey) throws(TokenKey.Unusable) {
    guard key.isOfType("EC"), key.isOnP256 else { throw TokenKey.Unusable(reason: "is no key on P-256") }
    self.key = key
  }

  func verifies(_ signature: [UInt8], of message: [UInt8]) throws(Cryptography.Failure) -> Bool {
    guard signature.count == 2 * Self.numberBytes else { return false }
    return try key.verifies(try Self.encoded(signature), of: message)
  }

  /// The two numbers, one after the other in a token, in DER as libcrypto expects them.
  private static func encoded(_ signature: [UInt8]) throws(Cryptography.Failure) -> [UInt8] {
    guard let pair = unsafe ECDSA_SIG_new() else { throw Cryptography.Failure() }
    defer { unsafe ECDSA_SIG_free(pair) }
    let (r, s) = (Array(signature.prefix(numberBytes)), Array(signature.suffix(numberBytes)))
    let (first, second) = unsafe (
      BN_bin2bn(r, Int32(r.count), nil), BN_bin2bn(s, Int32(s.count), nil)
    )
    // The pair takes the numbers over, but only if it has both.
    guard unsafe ECDSA_SIG_set0(pair, first, second) == 1 else {
      unsafe BN_free(first)
      unsafe BN_free(second)
      throw Cryptography.Failure()
    }
    var start: UnsafeMutablePointer<UInt8>?
    let count = unsafe i2d_ECDSA_SIG(pair, &start)
    guard count > 0, let bytes = unsafe start else { throw Cryptography.Failure() }
    defer { unsafe CRYPTO_free(bytes, nil, 0) }
    return unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }
}

/// A public key, as libcrypto has it.
@safe private final class PublicKey {
  private let key: OpaquePointer

  /// - Parameter pem: one `SubjectPublicKeyInfo` (RFC 7468 §13), and no other block.
  init(pem: [UInt8]) throws(TokenKey.Unusable) {
    let begin = Array("-----BEGIN ".utf8)
    let blocks = pem.indices.count { pem[$0...].starts(with: begin) }
    guard blocks == 1, let count = Int32(exactly: pem.count), let source = unsafe BIO_new_mem_buf(pem, count) else {
      throw TokenKey.Unusable(reason: "is not one public key in PEM")
    }
    defer { unsafe BIO_free(source) }
    guard let key = unsafe PEM_read_bio_PUBKEY(source, nil, nil, nil) else {
      ERR_clear_error()
      throw TokenKey.Unusable(reason: "is not one public key in PEM")
    }
    unsafe self.key = key
  }

  deinit { unsafe EVP_PKEY_free(key) }

  func isOfType(_ name: String) -> Bool { unsafe EVP_PKEY_is_a(key, name) == 1 }
  var bits: Int32 { unsafe EVP_PKEY_get_bits(key) }
  var signatureBytes: Int { Int(unsafe EVP_PKEY_get_size(key)) }

  var isOnP256: Bool {
    var name = [CChar](repeating: 0, count: 64)
    var length = 0
    guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return false }
    return name[..<length].elementsEqual("prime256v1".utf8.map(CChar.init(bitPattern:)))
  }

  /// - Parameter isPKCS1: the padding is that of PKCS #1 v1.5.
  func verifies(
    _ signature: [UInt8], of message: [UInt8], isPKCS1: Bool = false
  ) throws(Cryptography.Failure) -> Bool {
    guard let context = unsafe EVP_MD_CTX_new() else { throw Cryptography.Failure() }
    defer { unsafe EVP_MD_CTX_free(context) }
    var parameters: OpaquePointer?
    guard unsafe EVP_DigestVerifyInit(context, &parameters, EVP_sha256(), nil, key) == 1 else {
      throw Cryptography.Failure()
    }
    if isPKCS1, unsafe EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PADDING) != 1 {
      throw Cryptography.Failure()
    }
    let isValid = unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    // libpq's TLS reads the same queue of errors, and would take these for its own.
    if !isValid { ERR_clear_error() }
    return isValid
  }
}
