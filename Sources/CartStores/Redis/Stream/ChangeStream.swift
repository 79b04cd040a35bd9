package import CartDomain

/// The stream of changes that Redis gathers, the oldest first. What PostgreSQL has recorded is removed from it, never what
/// is old: so what is at its head is what has not been recorded.
///
/// Anybody may read it. Two that record at once do no harm, for each change is recorded once; that it happens in order is
/// up to ``SyncerRegistry``, which has one reader at a time.
package final class ChangeStream {
  /// What was read from the stream.
  package struct Batch: Sendable {
    package var events: [CartEvent] = []
    /// All entries, and whose they are; `nil` if that can't be read.
    package fileprivate(set) var entries: [(id: String, owner: CartOwner?)] = []
    /// Those of them that can't be read.
    package fileprivate(set) var unreadable: Set<String> = []
    /// The id of the last entry; `nil` if there was none.
    package fileprivate(set) var last: String?
    /// Of all values in it.
    fileprivate var bytes = 0

    package init() {}
    package var isEmpty: Bool { last == nil }
  }

  /// Before every entry.
  package static let start = "0-0"

  /// Whether one entry's id comes before another's.
  static func isOrdered(_ one: String, _ other: String) -> Bool {
    func numbers(_ id: String) -> (UInt64, UInt64) {
      let parts = id.split(separator: "-")
      return (parts.first.flatMap { UInt64($0) } ?? 0, parts.count > 1 ? UInt64(parts[1]) ?? 0 : 0)
    }
    return numbers(one) < numbers(other)
  }

  /// Before every entry that was made at a moment or later, by Redis's clock.
  static func id(at moment: Timestamp) -> String { "\(max(0, moment.milliseconds))-0" }

  let connection: RedisConnection
  private var key: String { connection.keys.stream }
  /// So many entries are read at once: as many as have had ``wantedBytes`` lately.
  private var count = 64
  private static let maximumCount = 500
  private static let wantedBytes = 512 << 10

  package init(_ connection: RedisConnection) { self.connection = connection }

  /// Reads entries behind one.
  ///
  /// - Parameters:
  ///   - id: of that one; ``start`` for the head of the stream.
  ///   - milliseconds: how long to wait for the first entry, 0 for not at all; below the connection's own time-out.
  /// - Returns: at most 500 entries, and fewer if they are large.
  package func read(after id: String, waiting milliseconds: Int = 0) throws(StoreError) -> Batch {
    var command = RedisCommand("XREAD", "COUNT", String(count))
    if milliseconds > 0 { command.append(contentsOf: RedisCommand("BLOCK", String(milliseconds))) }
    command.append(contentsOf: RedisCommand("STREAMS", key, id))
    // So many of them may be too many at once: then there are fewer the next time.
    let asked = count
    count = max(1, count / 2)
    let replies = try connection.exchange(command, .idempotent)
    count = asked
    if replies.isError(0, code: "UNBLOCKED") { return Batch() }
    let batch = try replies.read(0) { streams throws(StoreError) in
      if streams.isNull { return Batch() }
      return try streams.element(0) { stream throws(StoreError) in
        try stream.element(1) { entries throws(StoreError) in try self.batch(entries) }
      }
    }
    adapt(to: batch)
    return batch
  }

  private func adapt(to batch: Batch) {
    if batch.bytes > Self.wantedBytes {
      count = max(1, count * Self.wantedBytes / batch.bytes)
    } else if batch.entries.count == count {
      count = min(Self.maximumCount, count * 2)
    }
  }

  /// The id of the newest entry; ``start`` if there is none.
  package func end() throws(StoreError) -> String {
    let replies = try connection.exchange(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), .idempotent)
    return try replies.read(0) { entries throws(StoreError) in
      if entries.count == 0 { return Self.start }
      return try entries.element(0) { entry throws(StoreError) in
        try entry.element(0) { value throws(StoreError) in try value.string() } ?? Self.start
      }
    }
  }

  /// Whether there are entries up to one.
  func isAnythingLeft(upTo id: String) throws(StoreError) -> Bool {
    let command = RedisCommand("XRANGE", key, "-", id, "COUNT", "1")
    return try connection.exchange(command, .idempotent).read(0) { entries in entries.count ?? 0 } > 0
  }

  /// How many entries there are.
  func length() throws(StoreError) -> Int {
    try connection.exchange(RedisCommand("XLEN", key), .idempotent).read(0) { value in Int(value.integer ?? 0) }
  }

  /// Removes entries: what they say is recorded.
  package func remove(_ ids: [String]) throws(StoreError) { try remove(ids, from: key) }

  // MARK: Set aside

  /// Moves entries of one cart aside, so that they hold up nobody else's.
  ///
  /// - Parameters:
  ///   - next: when they are to be tried again, if others of that cart have not been set aside before.
  ///   - reason: why; `nil` because others of that cart were set aside.
  func setAside(
    _ ids: [String], of owner: CartOwner, until next: Timestamp, reason: String?
  ) throws(StoreError) {
    var arguments = RedisCommand(connection.keys.cart(of: owner), String(next.milliseconds), reason ?? "")
    for id in ids { arguments.append(id) }
    let keys = [key, connection.keys.aside, connection.keys.reasons, connection.keys.aside(of: owner)]
    try connection.evaluate(.setAside, keys: keys, arguments: arguments, .idempotent).check(0)
  }

  /// The first entries of a cart that were set aside.
  func readAside(of owner: CartOwner) throws(StoreError) -> Batch {
    let command = RedisCommand("XRANGE", connection.keys.aside(of: owner), "-", "+", "COUNT", "100")
    return try connection.exchange(command, .idempotent).read(0) { entries throws(StoreError) in try batch(entries) }
  }

  func removeAside(_ ids: [String], of owner: CartOwner) throws(StoreError) {
    try remove(ids, from: connection.keys.aside(of: owner))
  }

  /// Forgets all that was set aside of a cart.
  func clearAside(of owner: CartOwner) throws(StoreError) {
    let keys = connection.keys
    let replies = try connection.exchange(
      [
        RedisCommand("DEL", keys.aside(of: owner)), RedisCommand("ZREM", keys.aside, keys.cart(of: owner)),
        RedisCommand("HDEL", keys.reasons, keys.cart(of: owner)),
      ], .idempotent)
    for index in 0..<3 { try replies.check(index) }
  }

  private func remove(_ ids: [String], from stream: String) throws(StoreError) {
    if ids.isEmpty { return }
    var command = RedisCommand("XDEL", stream)
    for id in ids { command.append(id) }
    try connection.exchange(command, .idempotent).check(0)
  }

  // MARK: Entries

  private func batch(_ entries: borrowing RedisValue) throws(StoreError) -> Batch {
    var batch = Batch()
    for index in 0..<(entries.count ?? 0) {
      try entries.element(index) { entry throws(StoreError) in
        guard !entry.isNull, let id = try entry.element(0, { value throws(StoreError) in try value.string() }) else {
          return
        }
        batch.last = id
        let (bytes, owner) = try entry.element(1) { fields throws(StoreError) in try measure(fields) }
        batch.bytes += bytes
        batch.entries.append((id, owner))
        do throws(StoreError) {
          batch.events.append(try CartEvent(entry, keys: connection.keys))
        } catch {
          batch.unreadable.insert(id)
        }
      }
    }
    return batch
  }

  /// The size of an entry, and whose it is.
  private func measure(_ fields: borrowing RedisValue) throws(StoreError) -> (bytes: Int, owner: CartOwner?) {
    var bytes = 0
    var owner: CartOwner?
    for index in stride(from: 0, to: (fields.count ?? 0) - 1, by: 2) {
      let isKey = try fields.element(index) { name throws(StoreError) in
        try name.withBytes { $0.count == 1 && $0[0] == UInt8(ascii: "k") } ?? false
      }
      try fields.element(index + 1) { value throws(StoreError) in
        bytes += try value.withBytes { $0.count } ?? 0
        if isKey {
          owner = try value.withBytes { String(validating: $0) }?.flatMap { connection.keys.owner(ofCart: $0) }
        }
      }
    }
    return (bytes, owner)
  }
}

@available(*, unavailable)
extension ChangeStream: Sendable {}
