/// The target of a request, taken apart before anything of it is decoded.
struct RequestTarget {
  /// Longer targets are refused unread: enough for a hundred SKUs of full length, each byte escaped.
  static let maximumBytes = 32 * 1024

  /// The parts of the path, each decoded once; `nil` for a path that has none, ends in a slash, or has two in a row.
  let parts: [String]?
  /// As sent.
  let path: ArraySlice<UInt8>
  /// As sent, without the question mark.
  let query: ArraySlice<UInt8>

  /// - Throws: `uri_too_long`; `malformed_request` for bad escapes, for what is not UTF-8, and for a NUL or a fragment,
  ///   which no client sends.
  init(_ target: [UInt8]) throws(Problem) {
    guard target.count <= Self.maximumBytes else { throw Problem(.uriTooLong) }
    guard !target.contains(UInt8(ascii: "#")) else {
      throw Problem(.malformedRequest, "A number sign in a target is written %23.")
    }
    let origin = Self.originForm(target)
    let question = origin.firstIndex(of: UInt8(ascii: "?"))
    path = origin[..<(question ?? origin.endIndex)]
    query = question.map { origin[($0 + 1)...] } ?? []
    parts = try Self.parts(of: path)
  }

  /// The target without scheme and authority (RFC 9112 §3.2.2).
  private static func originForm(_ target: [UInt8]) -> ArraySlice<UInt8> {
    if target.first == UInt8(ascii: "/") { return target[...] }
    for scheme in ["http://", "https://"] {
      let prefix = target.prefix(scheme.utf8.count).map { (65...90).contains($0) ? $0 + 32 : $0 }
      guard prefix.elementsEqual(scheme.utf8) else { continue }
      return target[scheme.utf8.count...].drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
    }
    return target[...]
  }

  private static func parts(of path: ArraySlice<UInt8>) throws(Problem) -> [String]? {
    var parts: [String] = []
    var isRegular = path.first == UInt8(ascii: "/")
    var rest = path.dropFirst()
    while true {
      let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
      guard let text = PercentEncoding.decode(rest[..<end]), !text.utf8.contains(0) else {
        throw Problem(.malformedRequest, "The path is not percent-encoded UTF-8.")
      }
      if text.isEmpty { isRegular = false }
      parts.append(text)
      if end == rest.endIndex { break }
      rest = rest[(end + 1)...]
    }
    return isRegular ? parts : nil
  }
}
