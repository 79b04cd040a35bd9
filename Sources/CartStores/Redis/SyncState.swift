package import CartDomain

/// How far PostgreSQL is behind, as Redis shows it.
package struct SyncState: Sendable {
  /// A reader of the stream of changes.
  package struct Reader: Sendable {
    package var name: String
    /// Entries that it has taken and not acknowledged.
    package var inHand: Int
    /// Milliseconds since it last asked.
    package var idle: Int64
  }

  /// Changes that are not recorded yet.
  package var waiting = 0
  package var readers: [Reader] = []
  /// Carts that PostgreSQL has not as they are, and when the first of them changed.
  package var dirty = 0
  package var dirtySince: Timestamp?
  /// Carts that PostgreSQL refuses, and some of their owners.
  package var quarantined = 0
  package var quarantine: [CartOwner] = []
  /// Carts in use that Redis has.
  package var active = 0
  /// The number of Redis's history; `nil` where it has none yet.
  package var lineage: Int64?
  /// Milliseconds that the oldest waiting cart has waited.
  package var lag: Int64 = 0

  /// Readers that asked within a minute.
  package var living: [Reader] { readers.filter { $0.idle < 60_000 } }
}

extension SyncState {
  /// Reads it; changes nothing.
  package init(of redis: RedisConnection) throws(StoreError) {
    let lists = CartLists(redis)
    let replies = try redis.exchange(RedisCommand("XLEN", redis.keys.stream), .reading)
    waiting = try replies.read(0) { value in Int(value.integer ?? 0) }
    readers = try ChangeStream(redis, reader: "").readers()
    dirty = try lists.count(.dirty)
    dirtySince = try lists.carts(.dirty, limit: 1).first?.time
    quarantined = try lists.count(.quarantine)
    quarantine = try lists.carts(.quarantine, limit: 10).map(\.owner)
    active = try lists.count(.active)
    lineage = redis.server?.registeredLineage
    lag = dirtySince.map { max(0, redis.now.milliseconds - $0.milliseconds) } ?? 0
  }
}
