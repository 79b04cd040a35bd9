import CartDomain

extension StoreError {
  /// Redis answered something that no version of it should.
  static var unexpectedReply: StoreError { StoreError(.corrupt, "Redis: an answer of an unexpected kind") }

  static func corruptCart(_ what: StaticString) -> StoreError { StoreError(.corrupt, "Redis: a cart's \(what)") }

  /// What an error reply means. Its text may quote arguments, so that only its code, and of a script's error the
  /// line, is kept.
  init(redis message: String) {
    let code = message.prefix { $0 != " " }
    switch code {
    case "WRONGTYPE":
      self.init(.corrupt, "Redis: a key holds another type")
    case "ERR" where message.contains("user_script:"):
      let place = message.components(after: "user_script:").prefix { $0.isNumber }
      self.init(.corrupt, "Redis: a script failed at its line \(place)")
    case "OOM":
      // Commands that need no memory go on.
      self.init(.unavailable, "Redis: refused with OOM", wasReached: true)
    default:
      let isCode = code.utf8.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
      self.init(.unavailable, "Redis: refused with \(isCode ? String(code) : "an error")")
    }
  }
}

extension String {
  /// What follows the first `marker`; empty where there is none.
  fileprivate func components(after marker: String) -> Substring {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(marker) { return rest.dropFirst(marker.count) }
      rest = rest.dropFirst()
    }
    return rest
  }
}
