package import CartDomain

extension RedisConnection {
  /// One round trip. A user without the right to this command has been answered all the same.
  ///
  /// - Throws: ``StoreError`` where Redis is away, or not ready.
  package func ping() throws(StoreError) {
    let replies = try exchange(RedisCommand("PING"), .idempotent)
    if !replies.isError(0, code: "NOPERM") { try replies.check(0) }
  }

  /// Above this part of its memory Redis takes in nothing new, so that what is there can go on: carts that shrink, and
  /// changes on their way to PostgreSQL.
  private static let pressurePercent: Int64 = 85
  /// Without word for so long, memory counts as free again.
  private static let pressureSeconds = 10

  /// Tells all workers whether Redis's memory is short. One that has no limit, or does not say, never is.
  package func announcePressure() throws(StoreError) {
    guard let info = try info("memory") else { return }
    let limit = info.integer("maxmemory") ?? 0
    let isShort = limit > 0 && info.integer("used_memory") ?? 0 > limit / 100 * Self.pressurePercent
    try evaluate(
      .setPressure, keys: [keys.pressure], arguments: RedisCommand(isShort ? String(Self.pressureSeconds) : ""),
      .idempotent
    ).check(0)
  }

  /// Carries out a small command even where memory is out. A syncer needs that: only it can make room then.
  ///
  /// - Parameters:
  ///   - key: the only one that `command` names.
  ///   - history: as in ``exchange(_:_:in:)``.
  func runAllowingOOM(
    _ command: RedisCommand, on key: String, in history: String? = nil
  ) throws(StoreError) -> RedisReplies {
    try evaluate(.allowOOM, keys: [key], arguments: command, .idempotent, in: history)
  }

  /// What Redis does when its memory is full: `noeviction`, or a policy by which carts may vanish; `nil` where this
  /// user may not know (`INFO memory`).
  ///
  /// - Throws: ``StoreError`` where Redis is away.
  package func evictionPolicy() throws(StoreError) -> String? {
    try info("memory")?["maxmemory_policy"]
  }
}
