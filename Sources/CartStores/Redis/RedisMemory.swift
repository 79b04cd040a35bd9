package import CartDomain

extension RedisConnection {
  /// One round trip. A user without the right to this command has been answered all the same.
  ///
  /// - Throws: ``StoreError`` where Redis is away, or not ready.
  package func ping() throws(StoreError) {
    let replies = try exchange(RedisCommand("PING"), .reading)
    if !replies.isError(0, code: "NOPERM") { try replies.check(0) }
  }

  /// What Redis does when its memory is full: `noeviction`, or a policy by which carts may vanish; `nil` where this
  /// user may not know (`INFO memory`).
  ///
  /// - Throws: ``StoreError`` where Redis is away.
  package func evictionPolicy() throws(StoreError) -> String? {
    let replies = try exchange(RedisCommand("INFO", "memory"), .reading)
    if replies.isError(0, code: "NOPERM") { return nil }
    let text = try replies.read(0) { value throws(StoreError) in try value.string() ?? "" }
    let name = "maxmemory_policy:"
    return text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
  }
}
