/// Where the web server finds the application: `unix:/path` or `host:port`.
package enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
  case unix(path: String)
  /// An IPv4 or IPv6 address, or a name that resolves to one, without brackets.
  case inet(host: String, port: UInt16)

  /// Reads `unix:/path` (also relative), `host:port`, `[::1]:9000`. Nil for anything else; for an inet port, 1 to 65535.
  package init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      if path.isEmpty || path.utf8.contains(0) || path.hasSuffix("/") { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else {
      return nil
    }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    if host.isEmpty || host.utf8.contains(0) { return nil }
    self = .inet(host: String(host), port: port)
  }

  /// Where the status responder of a pool at this address listens by default; nil: nowhere.
  package var ofStatusResponder: ListenAddress? {
    if case .unix(let path) = self { .unix(path: path + ".ops") } else { nil }
  }

  package var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .inet(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }
}
