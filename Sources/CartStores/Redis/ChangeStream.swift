package import CartDomain

/// The stream of changes as one of its readers sees it. What one reader has taken, no other gets, until it has had it
/// for so long that it must be dead; what is acknowledged is deleted, never what is old.
package final class ChangeStream {
  /// What was taken from the stream.
  package struct Batch: Sendable {
    package var events: [CartEvent] = []
    /// Of entries that can't be read; they are acknowledged with the rest.
    package var unreadable = 0
    /// All entries, for the acknowledgement.
    fileprivate(set) package var ids: [String] = []

    package var isEmpty: Bool { ids.isEmpty }
  }

  static let group = "syncer"
  /// An entry that a reader has had for so long without acknowledging it goes to another.
  private static let abandonedMilliseconds = 5_000

  let connection: RedisConnection
  private let reader: String
  /// Where the search for abandoned entries goes on.
  private var cursor = "0-0"

  /// - Parameter reader: unique among all readers there are.
  package init(_ connection: RedisConnection, reader: String) {
    self.connection = connection
    self.reader = reader
  }

  var key: String { connection.keys.stream }

  /// Makes the group of readers where there is none: on a stream that was there before, it begins at its beginning.
  package func open() throws(StoreError) {
    let command = RedisCommand("XGROUP", "CREATE", key, Self.group, "0", "MKSTREAM")
    let replies = try connection.carryOutAnyway(command, on: key)
    if !replies.isError(0, code: "BUSYGROUP") { try replies.check(0) }
  }

  /// Takes new entries, waiting for the first one.
  ///
  /// - Parameter milliseconds: how long to wait, 0 for not at all; it must lie below the connection's own patience.
  package func take(_ count: Int, waiting milliseconds: Int) throws(StoreError) -> Batch {
    var command = RedisCommand("XREADGROUP", "GROUP", Self.group, reader, "COUNT", String(count))
    if milliseconds > 0 { command.append(words: RedisCommand("BLOCK", String(milliseconds))) }
    command.append(words: RedisCommand("STREAMS", key, ">"))
    let replies = try connection.exchange(command, .reading)
    if replies.isError(0, code: "NOGROUP") || replies.isError(0, code: "UNBLOCKED") {
      // Redis was emptied, before or meanwhile.
      try open()
      return Batch()
    }
    return try replies.read(0) { streams throws(StoreError) in
      if streams.isNull { return Batch() }
      return try streams.element(0) { stream throws(StoreError) in
        try stream.element(1) { entries throws(StoreError) in try batch(entries) }
      }
    }
  }

  /// Takes over entries of readers that are dead.
  package func takeAbandoned(_ count: Int) throws(StoreError) -> Batch {
    let command = RedisCommand(
      "XAUTOCLAIM", key, Self.group, reader, String(Self.abandonedMilliseconds), cursor, "COUNT", String(count))
    let replies = try connection.exchange(command, .reading)
    if replies.isError(0, code: "NOGROUP") { return Batch() }
    return try replies.read(0) { answer throws(StoreError) in
      cursor = try answer.element(0) { value throws(StoreError) in try value.string() } ?? "0-0"
      return try answer.element(1) { entries throws(StoreError) in try batch(entries) }
    }
  }

  /// The search for abandoned entries has come to the end, and begins anew with the next one.
  package var isSearchThrough: Bool { cursor == "0-0" }

  /// How many entries readers have taken and not acknowledged.
  package func entriesInHand() throws(StoreError) -> Int {
    let replies = try connection.exchange(RedisCommand("XPENDING", key, Self.group), .reading)
    if replies.isError(0, code: "NOGROUP") { return 0 }
    return try replies.read(0) { answer throws(StoreError) in
      Int(try answer.element(0) { value in value.integer } ?? 0)
    }
  }

  /// Lets the list of readers show that this one lives: Redis before 7.2 does not count a read that found nothing, unless
  /// it asks for what the reader has already. It asks for what lies behind all of that: an entry that is read once more
  /// counts as taken just now, and would be abandoned later.
  package func showLife() throws(StoreError) {
    let last = "\(UInt64.max)-0"
    let command = RedisCommand("XREADGROUP", "GROUP", Self.group, reader, "COUNT", "1", "STREAMS", key, last)
    let replies = try connection.exchange(command, .reading)
    if !replies.isError(0, code: "NOGROUP") { try replies.check(0) }
  }

  /// Takes this reader off the list of readers, if it has acknowledged all that it took: the rest would go with it.
  package func leave() throws(StoreError) {
    guard try readers().contains(where: { $0.name == reader && $0.inHand == 0 }) else { return }
    let command = RedisCommand("XGROUP", "DELCONSUMER", key, Self.group, reader)
    let replies = try connection.exchange(command, .reading)
    if !replies.isError(0, code: "NOGROUP") { try replies.check(0) }
  }

  /// Ends the reader's work on a batch and deletes it.
  package func acknowledge(_ batch: Batch) throws(StoreError) {
    if batch.isEmpty { return }
    var acknowledgement = RedisCommand("XACK", key, Self.group)
    var deletion = RedisCommand("XDEL", key)
    for id in batch.ids {
      acknowledgement.append(id)
      deletion.append(id)
    }
    let replies = try connection.exchange([acknowledgement, deletion], .reading)
    for index in 0..<2 where !replies.isError(index, code: "NOGROUP") { try replies.check(index) }
  }

  /// Takes readers off the list that have had nothing for an hour.
  package func removeIdleReaders() throws(StoreError) {
    for idle in try readers() where idle.name != reader && idle.inHand == 0 && idle.idle > 3_600_000 {
      let command = RedisCommand("XGROUP", "DELCONSUMER", key, Self.group, idle.name)
      try connection.exchange(command, .reading).check(0)
    }
  }

  /// All readers there are.
  func readers() throws(StoreError) -> [SyncState.Reader] {
    let replies = try connection.exchange(RedisCommand("XINFO", "CONSUMERS", key, Self.group), .reading)
    if replies.isError(0, code: "ERR") || replies.isError(0, code: "NOGROUP") { return [] }
    return try replies.read(0) { list throws(StoreError) in
      var readers: [SyncState.Reader] = []
      for index in 0..<(list.count ?? 0) {
        try list.element(index) { fields throws(StoreError) in
          let name = try fields.element(1) { value throws(StoreError) in try value.string() }
          let pending = try fields.element(3) { value in value.integer }
          let idle = try fields.element(5) { value in value.integer }
          if let name { readers.append(SyncState.Reader(name: name, inHand: Int(pending ?? 0), idle: idle ?? 0)) }
        }
      }
      return readers
    }
  }

  private func batch(_ entries: borrowing RedisValue) throws(StoreError) -> Batch {
    var batch = Batch()
    for index in 0..<(entries.count ?? 0) {
      try entries.element(index) { entry throws(StoreError) in
        if entry.isNull { return }
        guard let id = try entry.element(0, { value throws(StoreError) in try value.string() }) else { return }
        batch.ids.append(id)
        do throws(StoreError) {
          batch.events.append(try CartEvent(entry, keys: connection.keys))
        } catch {
          batch.unreadable += 1
        }
      }
    }
    return batch
  }
}

@available(*, unavailable)
extension ChangeStream: Sendable {}
