import CartDomain
import CartJSON

/// Why a token is refused. It holds nothing of the token, so that it may be sent and logged.
enum TokenFault: String, Error, CaseIterable {
  case malformed = "The token is not a signed JWT."
  case otherAlgorithm = "The token is not signed with the algorithm that counts here."
  case critical = "The token asks for extensions that are not known here."
  case badSignature = "The token's signature is not valid."
  case malformedClaims = "The token's claims can't be read."
  case noExpiry = "The token does not say when it expires."
  case expired = "The token has expired."
  case notYetValid = "The token is not valid yet."
  case otherAudience = "The token is not meant for this shop."
  case otherIssuer = "The token comes from another issuer."
  case noUser = "The token names nobody who can be a user."
  case ambiguous = "The request has two different tokens."
}

/// Reads the user out of the shop's own tokens: signed JWTs (RFC 7519) in the compact form (RFC 7515 §7.1).
final class TokenVerifier {
  /// Longer tokens are refused unread.
  static let maximumBytes = 8 * 1024
  /// Seconds by which a token may come from the future beside the leeway: `iat` guards nothing, and clocks differ.
  private static let issueTolerance = 60.0

  private let configuration: TokenConfiguration
  private let keys: [TokenKey]

  init(_ configuration: TokenConfiguration) throws(APIConfiguration.Invalid) {
    self.configuration = configuration
    self.keys = try configuration.keys()
  }

  /// The user whom the token names.
  ///
  /// Nothing of the claims is read before the signature is found to be good.
  func user(of token: [UInt8], at now: Timestamp) throws(Refusal) -> UserID {
    guard token.count <= Self.maximumBytes else { throw .fault(.malformed) }
    let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.decode(parts[0]), let claims = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2])
    else { throw .fault(.malformed) }
    let keyName = try keyName(inHeader: header)
    guard try isSigned(Array(token[..<parts[1].endIndex]), signature, keyName: keyName) else {
      throw .fault(.badSignature)
    }
    return try user(inClaims: claims, at: now)
  }

  /// Why there is no user: the token's fault, or libcrypto's.
  enum Refusal: Error {
    case fault(TokenFault)
    case failure(Cryptography.Failure)
  }

  /// Checks a header (RFC 7515 §4.1), and returns its `kid`.
  private func keyName(inHeader text: [UInt8]) throws(Refusal) -> String? {
    let header = try Self.object(text, or: .malformed)
    guard Self.isSame(header.root.member("alg")?.string, configuration.algorithm.rawValue) else {
      throw .fault(.otherAlgorithm)
    }
    // No extension is known, so none that is critical can be honoured (RFC 7515 §4.1.11).
    if header.root.member("crit") != nil { throw .fault(.critical) }
    guard let name = header.root.member("kid") else { return nil }
    guard let name = name.string else { throw .fault(.malformed) }
    return name
  }

  /// The key that the token names is tried first; a name that is not known says nothing.
  private func isSigned(_ message: [UInt8], _ signature: [UInt8], keyName: String?) throws(Refusal) -> Bool {
    do throws(Cryptography.Failure) {
      for key in keys where key.name == keyName {
        if try key.verifies(signature, of: message) { return true }
      }
      for key in keys where key.name != keyName {
        if try key.verifies(signature, of: message) { return true }
      }
      return false
    } catch {
      throw .failure(error)
    }
  }

  /// Checks the claims (RFC 7519 §4.1), and returns the user.
  private func user(inClaims text: [UInt8], at now: Timestamp) throws(Refusal) -> UserID {
    let claims = try Self.object(text, or: .malformedClaims)
    try checkTimes(claims.root, at: Double(now.milliseconds) / 1000)
    if !configuration.issuer.isEmpty, !Self.isSame(claims.root.member("iss")?.string, configuration.issuer) {
      throw .fault(.otherIssuer)
    }
    if !configuration.audience.isEmpty, !isMeant(claims.root.member("aud")) { throw .fault(.otherAudience) }
    guard let subject = claims.root.member("sub")?.string, let user = UserID(subject) else { throw .fault(.noUser) }
    return user
  }

  private func checkTimes(_ claims: borrowing JSONValue, at now: Double) throws(Refusal) {
    let leeway = Double(configuration.leeway)
    guard let expiry = try Self.seconds(claims.member("exp")) else { throw .fault(.noExpiry) }
    guard now < expiry + leeway else { throw .fault(.expired) }
    if let start = try Self.seconds(claims.member("nbf")), now + leeway < start { throw .fault(.notYetValid) }
    if let issue = try Self.seconds(claims.member("iat")), now + leeway + Self.issueTolerance < issue {
      throw .fault(.notYetValid)
    }
  }

  /// A `NumericDate` (RFC 7519 §2): seconds, maybe with a fraction; `nil` if there is none.
  private static func seconds(_ value: consuming JSONValue?) throws(Refusal) -> Double? {
    guard let value else { return nil }
    guard let seconds = value.integer.map(Double.init) ?? value.real, seconds.isFinite else {
      throw .fault(.malformedClaims)
    }
    return seconds
  }

  /// `aud` is one name or a list of them (RFC 7519 §4.1.3).
  private func isMeant(_ audience: consuming JSONValue?) -> Bool {
    guard let audience else { return false }
    if audience.kind == .string { return Self.isSame(audience.string, configuration.audience) }
    var isMeant = false
    audience.forEachElement { _, name in
      if Self.isSame(name.string, configuration.audience) { isMeant = true }
    }
    return isMeant
  }

  /// Names are compared byte by byte (RFC 7519 §2, StringOrURI), not by canonical equivalence.
  private static func isSame(_ name: String?, _ wanted: String) -> Bool {
    name.map { $0.utf8.elementsEqual(wanted.utf8) } ?? false
  }

  private static func object(_ text: [UInt8], or fault: TokenFault) throws(Refusal) -> JSONDocument {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(parsing: text.span, maximumBytes: maximumBytes)
    } catch {
      throw .fault(fault)
    }
    guard document.root.kind == .object else { throw .fault(fault) }
    return document
  }
}

@available(*, unavailable)
extension TokenVerifier: Sendable {}

extension Problem {
  init(_ refusal: TokenVerifier.Refusal) {
    switch refusal {
    case .fault(let fault): self.init(.badToken, fault.rawValue)
    case .failure(let failure): self.init(failure)
    }
  }
}
