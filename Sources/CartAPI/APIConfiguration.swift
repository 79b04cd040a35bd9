package import CartDomain

/// What an operator decides about the HTTP API.
package struct APIConfiguration: Sendable {
  /// When the guest's cookie is `Secure`.
  package enum CookieSecurity: String, Sendable {
    /// Over HTTPS.
    case auto
    case always
    case never
  }

  /// A configuration that can't be used; `message` holds no secret.
  package struct Invalid: Error, CustomStringConvertible {
    package let message: String
    package var description: String { message }
  }

  /// The parts of the path under which the shop lives; empty for its root.
  let basePath: [String]
  /// Origins, beside the shop's own, from which carts may be changed.
  let origins: Set<Origin>
  /// The guests' secrets: the first one signs, all of them verify.
  let guestSecrets: [[UInt8]]
  /// `nil` if users come from the web server alone.
  let tokens: TokenConfiguration?
  let cookieSecurity: CookieSecurity
  /// A counted stock up to this one is `low`.
  let lowStock: Int
  /// Of a guest's cart into a user's at the login.
  let mergeStrategy: MergeStrategy
  /// Whether guests may order.
  let guestsMayOrder: Bool

  /// Fewer bytes could be guessed.
  package static let minimumSecretBytes = 32

  /// - Parameters:
  ///   - basePath: `/shop`, or empty.
  ///   - origins: `https://shop.example https://m.shop.example:8443`, separated by spaces or commas.
  ///   - guestSecret: at least ``minimumSecretBytes`` random bytes.
  ///   - oldGuestSecret: the secret before the last rotation; its guests are still known.
  ///   - mergeStrategy: if a request names none.
  ///   - guestsMayOrder: otherwise only users order.
  ///   - tokens: the shop's own tokens, if users may show them.
  package init(
    basePath: String = "", origins: String = "", guestSecret: [UInt8], oldGuestSecret: [UInt8]? = nil,
    tokens: TokenConfiguration? = nil, cookieSecurity: CookieSecurity = .auto, lowStock: Int = 20,
    mergeStrategy: MergeStrategy = .sum, guestsMayOrder: Bool = true
  ) throws(Invalid) {
    let parts = basePath.split(separator: "/").map(String.init)
    guard basePath.isEmpty || basePath.hasPrefix("/"), !parts.contains("."), !parts.contains("..") else {
      throw Invalid(message: "the base path must be empty or begin with a slash")
    }
    self.basePath = parts
    var known: Set<Origin> = []
    for text in origins.split(whereSeparator: { $0 == " " || $0 == "," }) {
      guard let origin = Origin(String(text)) else {
        throw Invalid(message: "'\(text)' is no origin: it needs a scheme and a host, and nothing behind them")
      }
      known.insert(origin)
    }
    self.origins = known
    let secrets = [guestSecret] + (oldGuestSecret.map { [$0] } ?? [])
    guard secrets.allSatisfy({ $0.count >= Self.minimumSecretBytes }) else {
      throw Invalid(message: "a guest secret has fewer than \(Self.minimumSecretBytes) bytes")
    }
    self.guestSecrets = secrets
    self.tokens = tokens
    self.cookieSecurity = cookieSecurity
    self.lowStock = lowStock
    self.mergeStrategy = mergeStrategy
    self.guestsMayOrder = guestsMayOrder
  }
}
