package import CartDomain

/// How far PostgreSQL is behind, as Redis shows it.
package struct SyncState: Sendable {
  /// A syncer.
  package struct Syncer: Sendable {
    package var name: String
    /// Milliseconds since it last said that it lives.
    package var idle: Int64
  }

  /// Changes that are not recorded yet, but for those that were set aside.
  package var waiting = 0
  package var syncers: [Syncer] = []
  /// Carts that PostgreSQL has not as they are, and when the first of them changed.
  package var dirty = 0
  package var dirtySince: Timestamp?
  /// Carts that PostgreSQL refuses, and some of their owners.
  package var quarantined = 0
  package var quarantine: [CartOwner] = []
  /// Carts of which changes were set aside because PostgreSQL refuses to record them, and some of their owners.
  package var aside = 0
  package var asideOwners: [CartOwner] = []
  /// Why carts or changes of theirs are refused, of those that are named here.
  package var reasons: [CartOwner: String] = [:]
  /// Carts in use that Redis has.
  package var active = 0
  /// The number of Redis's history; `nil` where it has none yet.
  package var history: Int64?
  /// Milliseconds that the oldest waiting cart has waited.
  package var lag: Int64 = 0

  /// Syncers that have said within half a minute that they live.
  package var living: [Syncer] { syncers.filter { $0.idle < 30_000 } }
}

extension SyncState {
  /// Reads it; changes nothing.
  package init(of redis: RedisConnection) throws(StoreError) {
    let lists = CartLists(redis)
    let replies = try redis.exchange(
      [RedisCommand("XLEN", redis.keys.stream), RedisCommand("ZRANGE", redis.keys.syncers, "0", "-1", "WITHSCORES")],
      .idempotent)
    waiting = try replies.read(0) { value in Int(value.integer ?? 0) }
    syncers = try replies.read(1) { list throws(StoreError) in
      var syncers: [Syncer] = []
      for index in stride(from: 0, to: (list.count ?? 0) - 1, by: 2) {
        let name = try list.element(index) { value throws(StoreError) in try value.string() } ?? ""
        let seen = try list.element(index + 1) { value throws(StoreError) in try value.string() }
        syncers.append(Syncer(name: name, idle: max(0, redis.now.milliseconds - (seen.flatMap { Int64($0) } ?? 0))))
      }
      return syncers
    }
    dirty = try lists.count(.dirty)
    dirtySince = try lists.page(.dirty, limit: 1).carts.first?.time
    quarantined = try lists.count(.quarantine)
    quarantine = try lists.page(.quarantine, limit: 10).carts.map(\.owner)
    aside = try lists.count(.aside)
    asideOwners = try lists.page(.aside, limit: 10).carts.map(\.owner)
    let named = quarantine + asideOwners
    for (owner, reason) in zip(named, try lists.reasons(of: named)) { reasons[owner] = reason }
    active = try lists.count(.active)
    history = redis.server?.registeredHistory
    lag = dirtySince.map { max(0, redis.now.milliseconds - $0.milliseconds) } ?? 0
  }
}
