package import CartDomain

/// The stream of changes that Redis gathers, the oldest first. What PostgreSQL has recorded is removed from it, never what
/// is old: so what is at its head is what has not been recorded.
package final class ChangeStream: ChangeLog {
  private let connection: RedisConnection
  private var key: String { connection.keys.stream }
  /// So many entries are read at once: as many as have had ``wantedBytes`` lately.
  private var count = 64
  private static let maximumCount = 500
  private static let wantedBytes = 512 << 10

  package init(_ connection: RedisConnection) { self.connection = connection }

  package func read(after position: LogPosition, waiting milliseconds: Int) throws(StoreError) -> ChangeBatch {
    var command = RedisCommand("XREAD", "COUNT", String(count))
    if milliseconds > 0 { command.append(contentsOf: RedisCommand("BLOCK", String(milliseconds))) }
    command.append(contentsOf: RedisCommand("STREAMS", key, position.id))
    // So many of them may be too many at once: then there are fewer the next time.
    let asked = count
    count = max(1, count / 2)
    let replies = try connection.exchange(command, .idempotent)
    count = asked
    if replies.isError(0, code: "UNBLOCKED") { return ChangeBatch() }
    let batch = try replies.read(0) { streams throws(StoreError) in
      if streams.isNull { return ChangeBatch() }
      return try streams.element(0) { stream throws(StoreError) in
        try stream.element(1) { entries throws(StoreError) in
          try ChangeBatch(entries, keys: connection.keys)
        }
      }
    }
    adapt(to: batch)
    return batch
  }

  private func adapt(to batch: ChangeBatch) {
    if batch.bytes > Self.wantedBytes {
      count = max(1, count * Self.wantedBytes / batch.bytes)
    } else if batch.entries.count == count {
      count = min(Self.maximumCount, count * 2)
    }
  }

  package func position(before moment: Timestamp) -> LogPosition {
    LogPosition("\(max(0, moment.milliseconds))-0")
  }

  package func end() throws(StoreError) -> LogPosition {
    let replies = try connection.exchange(RedisCommand("XREVRANGE", key, "+", "-", "COUNT", "1"), .idempotent)
    return try replies.read(0) { entries throws(StoreError) in
      if entries.count == 0 { return .start }
      return try entries.element(0) { entry throws(StoreError) in
        try entry.element(0) { value throws(StoreError) in try value.string() }.map { LogPosition($0) } ?? .start
      }
    }
  }

  package func isAnythingLeft(upTo position: LogPosition) throws(StoreError) -> Bool {
    let command = RedisCommand("XRANGE", key, "-", position.id, "COUNT", "1")
    return try connection.exchange(command, .idempotent).read(0) { entries in entries.count ?? 0 } > 0
  }

  package func length() throws(StoreError) -> Int {
    try connection.exchange(RedisCommand("XLEN", key), .idempotent).read(0) { value in Int(value.integer ?? 0) }
  }

  package func remove(_ ids: [String]) throws(StoreError) { try connection.removeEntries(ids, from: key) }

  package func setAside(
    _ ids: [String], of owner: CartOwner, until next: Timestamp, reason: String?
  ) throws(StoreError) {
    var arguments = RedisCommand(connection.keys.cart(of: owner), String(next.milliseconds), reason ?? "")
    for id in ids { arguments.append(id) }
    let keys = [key, connection.keys.aside, connection.keys.reasons, connection.keys.aside(of: owner)]
    try connection.evaluate(.setAside, keys: keys, arguments: arguments, .idempotent).check(0)
  }
}

@available(*, unavailable)
extension ChangeStream: Sendable {}

// MARK: - Removal

extension ChangeStream {
  package func remove(_ owner: CartOwner) throws(StoreError) -> Int {
    let cart = connection.keys.cart(of: owner)
    var removed = 0
    var start = "-"
    while true {
      let command = RedisCommand("XRANGE", key, start, "+", "COUNT", "1000")
      let (ids, last) = try connection.exchange(command, .idempotent).read(0) { entries throws(StoreError) in
        try Self.ids(of: entries, about: cart)
      }
      if !ids.isEmpty {
        try remove(ids)
        removed += ids.count
      }
      guard let last else { return removed }
      start = "(" + last
    }
  }

  private static func ids(
    of entries: borrowing RedisValue, about cart: String
  ) throws(StoreError) -> (ids: [String], last: String?) {
    var ids: [String] = []
    var last: String?
    for index in 0..<(entries.count ?? 0) {
      try entries.element(index) { entry throws(StoreError) in
        guard let id = try entry.element(0, { value throws(StoreError) in try value.string() }) else { return }
        last = id
        if try entry.element(1, { fields throws(StoreError) in try Self.names(fields, cart) }) { ids.append(id) }
      }
    }
    return (ids, last)
  }

  private static func names(_ fields: borrowing RedisValue, _ cart: String) throws(StoreError) -> Bool {
    for index in stride(from: 0, to: (fields.count ?? 0) - 1, by: 2) {
      let name = try fields.element(index) { value throws(StoreError) in try value.bytes() }
      guard name == [UInt8(ascii: "k")] else { continue }
      return try fields.element(index + 1) { value throws(StoreError) in try value.bytes() } == Array(cart.utf8)
    }
    return false
  }
}

// MARK: - Entries

extension ChangeBatch {
  /// Reads entries of a stream.
  init(_ entries: borrowing RedisValue, keys: RedisKeys) throws(StoreError) {
    self.init()
    for index in 0..<(entries.count ?? 0) {
      try entries.element(index) { entry throws(StoreError) in
        guard !entry.isNull, let id = try entry.element(0, { value throws(StoreError) in try value.string() }) else {
          return
        }
        let (bytes, owner) = try entry.element(1) { fields throws(StoreError) in try Self.measure(fields, keys) }
        self.bytes += bytes
        self.entries.append((id, owner))
        do throws(StoreError) {
          events.append(try CartEvent(entry, keys: keys))
        } catch {
          unreadable.insert(id)
        }
      }
    }
  }

  /// The size of an entry, and whose it is.
  private static func measure(
    _ fields: borrowing RedisValue, _ keys: RedisKeys
  ) throws(StoreError) -> (bytes: Int, owner: CartOwner?) {
    var bytes = 0
    var owner: CartOwner?
    for index in stride(from: 0, to: (fields.count ?? 0) - 1, by: 2) {
      let isKey = try fields.element(index) { name throws(StoreError) in
        try name.withBytes { $0.count == 1 && $0[0] == UInt8(ascii: "k") } ?? false
      }
      try fields.element(index + 1) { value throws(StoreError) in
        bytes += try value.withBytes { $0.count } ?? 0
        if isKey {
          owner = try value.withBytes { String(validating: $0) }?.flatMap { keys.owner(ofCart: $0) }
        }
      }
    }
    return (bytes, owner)
  }
}
