package import CartDomain

/// Changes that PostgreSQL refuses to record: a stream in Redis for each cart that has some, in their order. A
/// ``ChangeLog`` moves them here.
package final class ChangesAside {
  private let connection: RedisConnection

  package init(_ connection: RedisConnection) { self.connection = connection }

  /// The first of a cart's.
  func read(_ owner: CartOwner) throws(StoreError) -> ChangeBatch {
    let command = RedisCommand("XRANGE", connection.keys.aside(of: owner), "-", "+", "COUNT", "100")
    return try connection.exchange(command, .idempotent).read(0) { entries throws(StoreError) in
      try ChangeBatch(entries, keys: connection.keys)
    }
  }

  /// Removes entries of a cart: what they say is recorded.
  func remove(_ ids: [String], of owner: CartOwner) throws(StoreError) {
    try connection.removeEntries(ids, from: connection.keys.aside(of: owner))
  }

  /// Forgets all of a cart's.
  package func clear(_ owner: CartOwner) throws(StoreError) {
    let keys = connection.keys
    let replies = try connection.exchange(
      [
        RedisCommand("DEL", keys.aside(of: owner)), RedisCommand("ZREM", keys.aside, keys.cart(of: owner)),
        RedisCommand("HDEL", keys.reasons, keys.cart(of: owner)),
      ], .idempotent)
    for index in 0..<3 { try replies.check(index) }
  }
}

@available(*, unavailable)
extension ChangesAside: Sendable {}

extension RedisConnection {
  /// Removes entries from a stream.
  func removeEntries(_ ids: [String], from stream: String) throws(StoreError) {
    if ids.isEmpty { return }
    var command = RedisCommand("XDEL", stream)
    for id in ids { command.append(id) }
    try exchange(command, .idempotent).check(0)
  }
}
