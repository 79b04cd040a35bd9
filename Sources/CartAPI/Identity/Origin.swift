/// Scheme, host and port of a site (RFC 6454), the default port left out.
struct Origin: Hashable, Sendable {
  private let text: String

  /// Reads `https://shop.example:8443`; `nil` for anything else, `null` among it.
  init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0, bytes.count > colon + 3,
      bytes[colon + 1] == UInt8(ascii: "/"), bytes[colon + 2] == UInt8(ascii: "/")
    else { return nil }
    self.init(
      scheme: String(decoding: bytes[..<colon], as: UTF8.self),
      host: String(decoding: bytes[(colon + 3)...], as: UTF8.self))
  }

  /// - Parameter host: with its port, if it has one; `nil` if it can't be a host.
  init?(scheme: String, host: String) {
    let scheme = scheme.lowercased()
    var host = host.lowercased()
    let defaultPort = scheme == "https" ? ":443" : scheme == "http" ? ":80" : nil
    if let defaultPort, host.hasSuffix(defaultPort) { host.removeLast(defaultPort.count) }
    guard !scheme.isEmpty, !host.isEmpty, host.utf8.allSatisfy(Self.isHostByte) else { return nil }
    text = scheme + "://" + host
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    byte > 0x20 && byte < 0x7F && !"/?#@\\".utf8.contains(byte)
  }
}

/// Whether a change comes from a page of another site, whose browser adds the shopper's cookies unasked.
struct CrossSiteCheck {
  let origins: Set<Origin>

  /// True for an `Origin` that is neither the request's own nor known; without one, for `Sec-Fetch-Site: cross-site`.
  func isCrossOrigin(_ request: HTTPRequest) -> Bool {
    guard let header = request[.origin] else { return request[.secFetchSite] == "cross-site" }
    guard let origin = Origin(header) else { return true }
    return origin != Origin(scheme: request.scheme, host: request.host) && !origins.contains(origin)
  }
}
