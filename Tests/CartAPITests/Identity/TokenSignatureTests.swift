import CartDomain
import TestSupport
import Testing

@testable import CartAPI

/// What a token's signature must be, and by whom.
@Suite struct TokenSignatures {
  private static let beforeItExpires = Timestamp(seconds: 1_300_819_379)

  private static func verifier(_ algorithm: TokenConfiguration.Algorithm, _ key: [UInt8]) throws -> TokenVerifier {
    try TokenVerifier(
      TokenConfiguration(algorithm: algorithm, keyFiles: [.init(path: "k", contents: key)], issuer: "joe"))
  }

  /// Why the verifier refuses the token; `nil` where it does not, or where libcrypto failed.
  private static func fault(_ verifier: TokenVerifier, _ token: String, at now: Timestamp) -> TokenFault? {
    do throws(TokenVerifier.Refusal) {
      _ = try verifier.user(of: Array(token.utf8), at: now)
      return nil
    } catch {
      if case .fault(let fault) = error { return fault }
      return nil
    }
  }

  private static let vectors: [(TokenConfiguration.Algorithm, [UInt8], String)] = [
    (.hs256, TokenVectors.rfcSecret, TokenVectors.rfcHS256),
    (.rs256, Array(TokenVectors.rfcRSAKey.utf8), TokenVectors.rfcRS256),
    (.es256, Array(TokenVectors.rfcECKey.utf8), TokenVectors.rfcES256),
  ]

  /// They name no user: that is all that is wrong with them, until they expire.
  @Test(arguments: vectors)
  func theExamplesOfTheRFC(algorithm: TokenConfiguration.Algorithm, key: [UInt8], token: String) throws {
    let verifier = try Self.verifier(algorithm, key)
    #expect(Self.fault(verifier, token, at: Self.beforeItExpires) == .noUser)
    #expect(Self.fault(verifier, token, at: Timestamp(seconds: 1_300_819_380)) == .expired)
    #expect(Self.fault(verifier, TokenVectors.rfcUnsecured, at: Self.beforeItExpires) == .otherAlgorithm)
    for (other, _, foreign) in Self.vectors where other != algorithm {
      #expect(Self.fault(verifier, foreign, at: Self.beforeItExpires) == .otherAlgorithm)
    }
  }

  @Test(arguments: vectors)
  func noByteMayChange(algorithm: TokenConfiguration.Algorithm, key: [UInt8], token: String) throws {
    let verifier = try Self.verifier(algorithm, key)
    let bytes = Array(token.utf8)
    for index in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[index] ^= 1 << UInt8(bit)
        let fault = Self.fault(verifier, String(decoding: flipped, as: UTF8.self), at: Self.beforeItExpires)
        #expect(fault != nil && fault != .noUser, "byte \(index), bit \(bit)")
      }
    }
    for count in bytes.indices {
      let fault = Self.fault(verifier, String(decoding: bytes[..<count], as: UTF8.self), at: Self.beforeItExpires)
      #expect(fault != nil && fault != .noUser, "cut to \(count)")
    }
  }

  @Test func aUserOfEachAlgorithm() throws {
    let mint = TokenMint()
    let shops = [
      (try Shop(tokens: mint.configuration()), try mint.token()),
      (try Shop(.rs256, TokenVectors.rsaKey), TokenVectors.rs256),
      (try Shop(.es256, TokenVectors.ecKey), TokenVectors.es256),
    ]
    for (index, (shop, token)) in shops.enumerated() {
      let answer = shop.add(bearing: token)
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.json["owner"] == "user")
      #expect(shop.send("GET", "/v1/cart", user: "ada").skus == ["A"])
      for (other, (_, foreign)) in shops.enumerated() where other != index {
        expectProblem(shop.add(bearing: foreign), 401, "bad_token")
      }
    }
  }

  @Test(arguments: [
    TokenVectors.rs256OfOther, TokenVectors.rs256Expired, TokenVectors.rs512AsRS256, TokenVectors.ps256AsRS256,
    TokenVectors.rs256 + "AAAA",
  ])
  func whatRS256Refuses(token: String) throws {
    try expectRefused(token, by: Shop(.rs256, TokenVectors.rsaKey))
  }

  @Test(arguments: [
    TokenVectors.es256OfOther, TokenVectors.es256Expired, TokenVectors.es256InDER,
    TokenVectors.es256.split(separator: ".")[..<2].joined(separator: ".") + "." + String(repeating: "A", count: 86),
  ])
  func whatES256Refuses(token: String) throws {
    try expectRefused(token, by: Shop(.es256, TokenVectors.ecKey))
  }

  private func expectRefused(_ token: String, by shop: Shop) {
    let answer = shop.add(bearing: token)
    expectProblem(answer, 401, "bad_token")
    #expect(answer["WWW-Authenticate"] == "Bearer")
    #expect(shop.store.calls == 0)
  }

  /// A public key is no secret: who has it must not be able to sign.
  @Test func aPublicKeySignsNothing() throws {
    let forger = TokenMint(secret: Array(TokenVectors.rsaKey.utf8), header: #"{"alg":"HS256"}"#)
    try expectRefused(forger.token(), by: Shop(.rs256, TokenVectors.rsaKey))
    let disguised = TokenMint(secret: Array(TokenVectors.rsaKey.utf8), header: #"{"alg":"RS256"}"#)
    try expectRefused(disguised.token(), by: Shop(.rs256, TokenVectors.rsaKey))
    #expect(throws: APIConfiguration.Invalid.self) { try forger.configuration() }
  }

  @Test func keysAreRotated() throws {
    for shop in [
      try Shop(.rs256, TokenVectors.otherRSAKey, TokenVectors.rsaKey),
      try Shop(.rs256, TokenVectors.rsaKey, TokenVectors.otherRSAKey),
    ] {
      #expect(shop.add(bearing: TokenVectors.rs256).status == 200)
      #expect(shop.add(bearing: TokenVectors.rs256OfOther).json["counts"]["quantity"] == 2)
    }
    let shop = try Shop(.es256, TokenVectors.otherECKey, TokenVectors.ecKey)
    #expect(shop.add(bearing: TokenVectors.es256).status == 200)
    #expect(shop.add(bearing: TokenVectors.es256OfOther).status == 200)
  }

  /// A `kid` is a hint: one that is wrong, or a path, neither helps nor hurts.
  @Test(arguments: ["now", "old", "unknown", "", "../../etc/passwd", "now.key"])
  func aKeyMayBeNamed(name: String) throws {
    let old = TokenMint(secret: [UInt8](repeating: 1, count: 40))
    let tokens = try TokenConfiguration(
      algorithm: .hs256,
      keyFiles: [
        .init(path: "/etc/cartd/old.key", contents: old.secret), .init(path: "now.key", contents: TokenMint().secret),
      ])
    #expect(tokens.keyFiles.map(\.name) == ["old", "now"])
    let shop = try Shop(tokens: tokens)
    for secret in [old.secret, TokenMint().secret] {
      let mint = TokenMint(secret: secret, header: #"{"alg":"HS256","kid":"\#(name)"}"#)
      #expect(shop.add(bearing: try mint.token()).status == 200)
    }
    let stranger = TokenMint(secret: [UInt8](repeating: 2, count: 32), header: #"{"alg":"HS256","kid":"\#(name)"}"#)
    expectProblem(shop.add(bearing: try stranger.token()), 401, "bad_token")
  }

  @Test func aLineEndBehindTheSecretDoesNotCount() throws {
    let secret = Array(String(repeating: "0123456789abcdef", count: 2).utf8)
    for ending in ["", "\n", "\r\n"] {
      let shop = try Shop(tokens: TokenMint(secret: secret + Array(ending.utf8)).configuration())
      #expect(shop.add(bearing: try TokenMint(secret: secret).token()).status == 200)
      #expect(shop.add(bearing: try TokenMint(secret: secret + Array(ending.utf8)).token()).status == 200)
      expectProblem(shop.add(bearing: try TokenMint(secret: secret + [0x20]).token()), 401, "bad_token")
    }
  }

  private static let unusable: [(TokenConfiguration.Algorithm, String)] = [
    (.hs256, ""), (.hs256, String(repeating: "x", count: 31)), (.hs256, String(repeating: "x", count: 31) + "\n"),
    (.hs256, TokenVectors.ecKey), (.rs256, ""), (.rs256, "no key"), (.rs256, TokenVectors.weakRSAKey),
    (.rs256, TokenVectors.ecKey), (.rs256, TokenVectors.rsaKey + "\n" + TokenVectors.otherRSAKey),
    (.rs256, TokenVectors.rsaKey.replacing("MIIB", with: "MIIA")), (.es256, TokenVectors.rsaKey),
    (.es256, TokenVectors.p384Key), (.es256, TokenVectors.secp256k1Key), (.es256, String(repeating: "x", count: 99)),
    (.es256, TokenVectors.ecKey.replacing("PUBLIC", with: "PRIVATE")),
  ]

  @Test func aKeyThatCantBeUsedIsRefused() {
    for (index, (algorithm, key)) in Self.unusable.enumerated() {
      #expect(throws: APIConfiguration.Invalid.self, "\(algorithm), \(index)") {
        try TokenConfiguration(algorithm: algorithm, keyFiles: [.init(path: "k", contents: Array(key.utf8))])
      }
      #expect(throws: APIConfiguration.Invalid.self) { try TokenConfiguration(algorithm: algorithm, keyFiles: []) }
    }
  }

  /// The message names the file, not what it holds.
  @Test func aKeyStaysOutOfTheMessage() {
    let refusal = #expect(throws: APIConfiguration.Invalid.self) {
      try TokenConfiguration(
        algorithm: .hs256, keyFiles: [.init(path: "/etc/cartd/short.key", contents: Array("hush".utf8))])
    }
    #expect(refusal?.message == "the token key 'short' has fewer than 32 bytes")
  }
}
