import COpenSSL

/// What the API needs of libcrypto.
enum Cryptography {
  /// libcrypto did not do what it never refuses: it has no memory, or no source of randomness.
  struct Failure: Error {}

  static func sha256(_ message: [UInt8]) throws(Failure) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    guard unsafe EVP_Digest(message, message.count, &digest, nil, EVP_sha256(), nil) == 1 else { throw Failure() }
    return digest
  }

  /// Unpredictable bytes.
  static func random(_ count: Int) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else { throw Failure() }
    return bytes
  }

  /// Compares in a time that depends on the lengths alone.
  static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    unsafe left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }
}

/// HMAC-SHA-256 (RFC 2104) under one key, which is set up once.
@safe final class MessageAuthenticator {
  private let context: OpaquePointer

  init(key: [UInt8]) throws(Cryptography.Failure) {
    guard let algorithm = unsafe EVP_MAC_fetch(nil, "HMAC", nil) else { throw Cryptography.Failure() }
    defer { unsafe EVP_MAC_free(algorithm) }
    guard let context = unsafe EVP_MAC_CTX_new(algorithm) else { throw Cryptography.Failure() }
    unsafe self.context = context
    var digest = Array("SHA256".utf8CString)
    let isKeyed = unsafe digest.withUnsafeMutableBufferPointer { digest in
      var parameters = unsafe [
        OSSL_PARAM_construct_utf8_string("digest", digest.baseAddress, 0), OSSL_PARAM_construct_end(),
      ]
      return unsafe EVP_MAC_init(context, key, key.count, &parameters) == 1
    }
    // Throwing from here on runs `deinit`: every stored property is set.
    guard isKeyed else { throw Cryptography.Failure() }
  }

  deinit { unsafe EVP_MAC_CTX_free(context) }

  func code(for message: [UInt8]) throws(Cryptography.Failure) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var length = 0
    // Without a key, the context starts over with the one it has.
    guard unsafe EVP_MAC_init(context, nil, 0, nil) == 1,
      unsafe EVP_MAC_update(context, message, message.count) == 1,
      unsafe EVP_MAC_final(context, &code, &length, code.count) == 1, length == code.count
    else { throw Cryptography.Failure() }
    return code
  }
}

@available(*, unavailable)
extension MessageAuthenticator: Sendable {}

/// Base 64 with the alphabet of RFC 4648 §5, unpadded.
enum Base64URL {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  static func encode(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count * 4 + 2) / 3)
    var bits: UInt32 = 0
    var count = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 6 {
        count -= 6
        text.append(alphabet[Int(bits >> UInt32(count)) & 63])
      }
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
    return text
  }

  /// `nil` for what ``encode(_:)`` would not have written: other characters, padding, or bits behind the last byte.
  static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count * 3 / 4)
    var bits: UInt32 = 0
    var count = 0
    for character in text {
      guard let value = value(of: character) else { return nil }
      bits = bits << 6 | value
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
      bits &= 1 << UInt32(count) - 1
    }
    return count < 6 && bits == 0 ? bytes : nil
  }

  private static func value(of character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "-"): 62
    case UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
