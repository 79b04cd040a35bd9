package import CartDomain

/// The syncers that live, as each of them says it of itself: one of them reads the log of changes, and the carts are
/// shared out among all.
///
/// Nothing breaks if two do the same for a while, as when one was stopped and goes on: carts are persisted under a guard,
/// and each change is recorded once.
package final class SyncerRegistry {
  /// Part of all carts: each is in the part of one of those that live.
  package struct Share: Equatable, Sendable {
    package var rank = 0
    package var count = 1

    package func contains(_ owner: CartOwner) -> Bool {
      if count <= 1 { return true }
      // FNV-1a, mixed once more so that ids which differ at their ends are spread; the same in every process.
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for byte in "\(owner.kind):\(owner.id)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
      hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
      return Int((hash ^ (hash >> 33)) % UInt64(count)) == rank
    }
  }

  /// A syncer that has not been heard of for so long counts as dead, in milliseconds: longer than a turn takes as a rule.
  static let deadAfter = 6_000
  private static let forgottenAfter = 3_600_000
  private static let renewedAfter: Int64 = 1_000

  private let connection: RedisConnection
  private let name: String
  private let isMember: Bool
  private var renewedAt: Int64?
  package private(set) var share = Share()
  /// Whether this one reads the stream.
  package private(set) var isReader = false
  /// How often it has become the reader: others may have been it in between.
  package private(set) var term = 0

  /// - Parameters:
  ///   - name: unique among all syncers of this Redis.
  ///   - isMember: whether it takes its part of the carts. One that is no member leaves the others theirs, and may persist
  ///     any cart.
  package init(_ connection: RedisConnection, name: String, isMember: Bool = true) {
    self.connection = connection
    self.name = name
    self.isMember = isMember
  }

  /// Where this one writes into the database: see ``PostgresCarts/write(_:lane:since:)``.
  var lane: Int { isMember ? share.rank : -1 }

  private var keys: [String] { [connection.keys.syncers, connection.keys.reader] }

  /// Says that this syncer lives, and learns what its part is; at most once a second.
  package func renew(now: Bool = false) throws(StoreError) {
    if !now, let renewedAt, RedisClock.monotonic - renewedAt < Self.renewedAfter { return }
    let arguments = RedisCommand(
      name, String(Self.deadAfter), String(Self.forgottenAfter), isMember ? "1" : "")
    let replies = try connection.evaluate(.registerSyncer, keys: keys, arguments: arguments, .idempotent)
    let numbers = try replies.read(0) { answer throws(StoreError) in
      var numbers: [Int] = []
      for index in 0..<3 {
        guard let number = try answer.element(index, { value in value.integer }) else { throw .unexpectedReply }
        numbers.append(Int(number))
      }
      return numbers
    }
    isReader = numbers[0] > 0
    if numbers[0] == 2 { term += 1 }
    if isMember { share = Share(rank: numbers[1], count: numbers[2]) }
    renewedAt = RedisClock.monotonic
  }

  /// Takes this syncer off the list: its part goes to the others at once.
  package func leave() throws(StoreError) {
    (isReader, renewedAt) = (false, nil)
    try remove(name)
  }

  /// Takes those off the list of which the caller knows that they are dead, so that nobody waits for them. One that is
  /// alive all the same comes back within a second.
  package func remove(those isDead: (String) -> Bool) throws(StoreError) {
    let command = RedisCommand("ZRANGE", connection.keys.syncers, "0", "-1")
    let names = try connection.exchange(command, .idempotent).read(0) { list throws(StoreError) in
      var names: [String] = []
      for index in 0..<(list.count ?? 0) {
        if let name = try list.element(index, { value throws(StoreError) in try value.string() }) { names.append(name) }
      }
      return names
    }
    for other in names where other != name && isDead(other) { try remove(other) }
  }

  private func remove(_ name: String) throws(StoreError) {
    try connection.evaluate(.unregisterSyncer, keys: keys, arguments: RedisCommand(name), .idempotent).check(0)
  }
}

@available(*, unavailable)
extension SyncerRegistry: Sendable {}
