package import CartDomain

/// What PostgreSQL has not, as Redis knows it.
package struct SyncBacklog: Equatable, Sendable {
  /// Changes in the stream.
  package var stream: Int
  package var dirty: Int
  /// The age of the first change that PostgreSQL has not; 0 where it has all.
  package var oldestMilliseconds: Int64
  package var quarantined: Int

  /// Asks Redis, in one round trip.
  package init(_ connection: RedisConnection) throws(StoreError) {
    let keys = connection.keys
    let replies = try connection.exchange(
      [
        RedisCommand("XLEN", keys.stream), RedisCommand("ZCARD", keys.dirty),
        RedisCommand("ZRANGE", keys.dirty, "0", "0", "WITHSCORES"), RedisCommand("ZCARD", keys.quarantine),
      ], .reading)
    stream = try replies.read(0) { value in Int(value.integer ?? 0) }
    dirty = try replies.read(1) { value in Int(value.integer ?? 0) }
    let oldest = try replies.read(2) { value throws(StoreError) -> Int64? in
      guard value.count == 2 else { return nil }
      return try value.element(1) { score throws(StoreError) in try score.string().flatMap { Int64($0) } }
    }
    oldestMilliseconds = oldest.map { max(0, connection.now.milliseconds - $0) } ?? 0
    quarantined = try replies.read(3) { value in Int(value.integer ?? 0) }
  }
}
