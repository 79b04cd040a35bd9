import CartDomain

/// What `INFO` says.
struct RedisInfo {
  private var values: [Substring: Substring] = [:]

  /// Reads the answer at `index`.
  ///
  /// - Returns: `nil` if this user may not ask.
  init?(_ replies: borrowing RedisReplies, at index: Int = 0) throws(StoreError) {
    if replies.isError(index, code: "NOPERM") { return nil }
    let text = try replies.read(index) { value throws(StoreError) in try value.string() ?? "" }
    for line in text.split(whereSeparator: \.isNewline) {
      guard let colon = line.firstIndex(of: ":") else { continue }
      values[line[..<colon]] = line[line.index(after: colon)...]
    }
  }

  subscript(name: String) -> String? { values[name[...]].map { String($0) } }

  func integer(_ name: String) -> Int64? { values[name[...]].flatMap { Int64($0) } }
}

extension RedisConnection {
  /// Asks for a section of `INFO`; `nil` if this user may not.
  func info(_ section: String) throws(StoreError) -> RedisInfo? {
    try RedisInfo(try exchange(RedisCommand("INFO", section), .idempotent))
  }
}
