package import CartDomain
import Glibc

/// Deletes a cart in both stores, with all that is recorded of it.
///
/// What a syncer has in its hands at this moment must not bring it back. So the row in PostgreSQL stays for a day, empty
/// and with a higher epoch than any copy on its way: such a copy is refused.
package final class CartEraser {
  /// What was found and deleted.
  package struct Report: Equatable, Sendable {
    package var wasInRedis = false
    package var wasInPostgres = false
    /// Rows of the record of changes.
    package var changes = 0
    /// Commands for the cart that it had not followed.
    package var commands = 0
    /// Changes that were waiting to be recorded.
    package var waiting = 0
  }

  private let redis: RedisConnection
  private let archive: PostgresCarts
  private let log: any ChangeLog
  private let aside: ChangesAside

  package init(_ stores: StoreGraph) {
    redis = stores.redis
    archive = stores.archive
    log = stores.log
    aside = ChangesAside(redis)
  }

  /// - Throws: ``StoreError``; it may be done in part then, and doing it again does no harm.
  package func erase(_ owner: CartOwner) throws(StoreError) -> Report {
    var report = Report()
    // Not half of it where PostgreSQL is away.
    _ = try archive.lineage()
    report.wasInRedis = try eraseInRedis(owner)
    let erased = try archive.erase(owner)
    (report.wasInPostgres, report.changes, report.commands) = (erased.wasThere, erased.changes, erased.commands)
    // A shopper may have had it brought back since; who is about to finds that another holds the place.
    report.wasInRedis = try eraseInRedis(owner) || report.wasInRedis
    report.waiting = try removeChanges(owner)
    // A syncer may have read them already: it has recorded them by then, or reads them again and does not find them.
    if report.waiting > 0 {
      usleep(Self.pauseMicroseconds)
      // It may have set some of them aside meanwhile.
      _ = try removeChanges(owner)
    }
    report.changes += try archive.eraseRecord(of: owner)
    return report
  }

  /// - Returns: how many were waiting to be recorded.
  private func removeChanges(_ owner: CartOwner) throws(StoreError) -> Int {
    try aside.clear(owner)
    return try log.remove(owner)
  }

  private func eraseInRedis(_ owner: CartOwner) throws(StoreError) -> Bool {
    let keys = redis.keys
    let key = keys.cart(of: owner)
    let commands = [
      RedisCommand("SET", keys.restoreLease(of: owner), "forget", "PX", "10000"), RedisCommand("DEL", key),
      RedisCommand("ZREM", keys.dirty, key), RedisCommand("ZREM", keys.active, key),
      RedisCommand("ZREM", keys.quarantine, key),
    ]
    let replies = try redis.exchange(commands, .idempotent)
    for index in commands.indices { try replies.check(index) }
    return try replies.read(1) { value in value.integer == 1 }
  }

  private static let pauseMicroseconds = UInt32(ChangeRecorder.longestPending + longestStatement) * 1_000
  /// Of a syncer, in milliseconds.
  private static let longestStatement: Int64 = 5_500
}

@available(*, unavailable)
extension CartEraser: Sendable {}
