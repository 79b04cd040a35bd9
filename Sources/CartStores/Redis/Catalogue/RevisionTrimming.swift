import CartDomain

// How revisions leave Redis that nobody needs there: neither a product as it is sold now nor a cart in Redis shows them.
//
// Those that no product shows are noted first, on a list of their own; then every cart is read, and what it shows is
// taken off the list; what is left goes, if no product shows it by then. A cart that is brought back from PostgreSQL in
// the middle of that may lose a revision all the same. Whoever misses one asks PostgreSQL, which keeps all of them, and
// puts it back: a removal too many costs that query.

extension RedisCatalogue {
  /// Removes revisions for some time. Several may be at it at once, and each may stop anywhere.
  ///
  /// - Parameters:
  ///   - place: where a former call has stopped, whoever made it; `nil` at the beginning.
  ///   - deadline: of the monotonic clock, in milliseconds; what is begun is ended, within some milliseconds.
  /// - Returns: where to go on; `nil` if it is through.
  func trimRevisions(from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    var place = place.flatMap { TrimmingPlace($0) }
    if place == nil { try connection.exchange(RedisCommand("UNLINK", connection.keys.unshown), .idempotent).check(0) }
    repeat {
      place = try trim(at: place ?? TrimmingPlace())
    } while place != nil && RedisClock.monotonic < deadline
    return place?.text
  }

  /// Does one step.
  private func trim(at place: TrimmingPlace) throws(StoreError) -> TrimmingPlace? {
    var place = place
    switch place.phase {
    case .noting:
      place.revisions = try noteUnshown(from: place.revisions)
      let noted = try countUnshown()
      if noted == 0, place.revisions == TrimmingPlace.end { return nil }
      if noted >= Self.mostUnshown || place.revisions == TrimmingPlace.end { place.phase = .reading }
    case .reading:
      place.carts = try readCarts(from: place.carts)
      if place.carts == TrimmingPlace.end { place.phase = .removing }
    case .removing:
      if try removeUnshown() { return place }
      if place.revisions == TrimmingPlace.end { return nil }
      place.phase = .noting
    }
    return place
  }

  /// So many revisions are noted before the carts are read.
  private static let mostUnshown = 50_000
  /// So many revisions, or keys, are looked at in one step, about.
  private static let step = 200

  private typealias Kept = (id: RevisionID, sku: SKU)

  /// - Returns: the cursor to go on with.
  private func noteUnshown(from cursor: String) throws(StoreError) -> String {
    let command = RedisCommand("HSCAN", connection.keys.revisions, cursor, "COUNT", String(Self.step))
    let replies = try connection.exchange(command, .idempotent)
    var kept: [Kept] = []
    let next = try replies.read(0) { answer throws(StoreError) in
      try answer.element(1) { fields throws(StoreError) in
        try fields.forEachPair { name, content throws(StoreError) in
          // What can't be read is of another version, which may need it.
          if let id = RevisionID(utf8: name), let sku = try Self.sku(content) { kept.append((id, sku)) }
        }
      }
      return try answer.element(0) { value throws(StoreError) in try value.string() }
    }
    let unsold = try unsold(kept)
    if !unsold.isEmpty {
      var command = RedisCommand("ZADD", connection.keys.unshown)
      for id in unsold {
        command.append("0")
        command.append(id.text)
      }
      // It makes room, so it must not fail for want of it.
      try connection.runAllowingOOM(command, on: connection.keys.unshown).check(0)
    }
    return next ?? TrimmingPlace.end
  }

  private static func sku(_ content: borrowing RedisValue) throws(StoreError) -> SKU? {
    try content.withBytes { RevisionCodec.decode($0)?.sku } ?? nil
  }

  /// Those that are not the revision of their product as it is sold now.
  private func unsold(_ kept: [Kept]) throws(StoreError) -> [RevisionID] {
    if kept.isEmpty { return [] }
    var question = RedisCommand("HMGET", connection.keys.catalogue)
    for revision in kept { question.append(revision.sku.text) }
    return try connection.exchange(question, .idempotent).read(0) { entries throws(StoreError) in
      var unsold: [RevisionID] = []
      for (index, revision) in kept.enumerated() {
        let entry = try entries.element(index) { value throws(StoreError) in
          try value.withBytes { CatalogueEntry($0) } ?? nil
        }
        if entry?.revision != revision.id { unsold.append(revision.id) }
      }
      return unsold
    }
  }

  private func countUnshown() throws(StoreError) -> Int {
    let replies = try connection.exchange(RedisCommand("ZCARD", connection.keys.unshown), .idempotent)
    return try replies.read(0) { value in Int(value.integer ?? 0) }
  }

  /// Takes off the list what some of the carts show.
  ///
  /// - Returns: the cursor to go on with.
  private func readCarts(from cursor: String) throws(StoreError) -> String {
    let command = RedisCommand(
      "SCAN", cursor, "MATCH", connection.keys.prefix + "cart:*", "COUNT", String(Self.step))
    let replies = try connection.exchange(command, .idempotent)
    let (next, carts) = try replies.read(0) { answer throws(StoreError) in
      let carts = try answer.element(1) { names throws(StoreError) in
        var carts: [RedisCommand] = []
        for index in 0..<(names.count ?? 0) {
          let name = try names.element(index) { value throws(StoreError) in try value.string() } ?? ""
          if connection.keys.owner(ofCart: name) != nil { carts.append(RedisCommand("HGETALL", name)) }
        }
        return carts
      }
      return (try answer.element(0) { value throws(StoreError) in try value.string() }, carts)
    }
    try unnote(carts.isEmpty ? [] : try shown(by: connection.exchange(carts, .idempotent)))
    return next ?? TrimmingPlace.end
  }

  private func shown(by carts: borrowing RedisReplies) throws(StoreError) -> Set<RevisionID> {
    var shown: Set<RevisionID> = []
    for index in 0..<carts.count {
      do throws(StoreError) {
        try carts.read(index) { fields throws(StoreError) in
          try fields.forEachPair { name, value throws(StoreError) in
            guard !name.isEmpty, name[0] == UInt8(ascii: "="),
              let id = try value.withBytes({ RevisionID(ofPackedLine: $0) }) ?? nil
            else { return }
            shown.insert(id)
          }
        }
      } catch {
        // A key of another type shows nothing.
        guard error.code == .corrupt else { throw error }
      }
    }
    return shown
  }

  private func unnote(_ shown: Set<RevisionID>) throws(StoreError) {
    if shown.isEmpty { return }
    var command = RedisCommand("ZREM", connection.keys.unshown)
    for id in shown { command.append(id.text) }
    try connection.exchange(command, .idempotent).check(0)
  }

  /// Removes some of the revisions that are left on the list.
  ///
  /// - Returns: whether there were any.
  private func removeUnshown() throws(StoreError) -> Bool {
    let question = RedisCommand("ZRANGE", connection.keys.unshown, "0", String(Self.step - 1))
    let noted = try connection.exchange(question, .idempotent).read(0) { names throws(StoreError) in
      var noted: [RevisionID] = []
      for index in 0..<(names.count ?? 0) {
        let name = try names.element(index) { value throws(StoreError) in try value.string() }
        if let id = name.flatMap({ RevisionID($0) }) { noted.append(id) }
      }
      return noted
    }
    if noted.isEmpty { return false }
    var contents = RedisCommand("HMGET", connection.keys.revisions)
    for id in noted { contents.append(id.text) }
    let kept = try connection.exchange(contents, .idempotent).read(0) { values throws(StoreError) in
      var kept: [Kept] = []
      for (index, id) in noted.enumerated() {
        let sku = try values.element(index) { value throws(StoreError) in try Self.sku(value) }
        if let sku { kept.append((id, sku)) }
      }
      return kept
    }
    let unsold = try unsold(kept)
    if !unsold.isEmpty {
      var removal = RedisCommand("HDEL", connection.keys.revisions)
      for id in unsold { removal.append(id.text) }
      try connection.exchange(removal, .idempotent).check(0)
    }
    try unnote(Set(noted))
    return true
  }
}

/// Where a call has stopped: what it is at, and the cursors of `HSCAN` and `SCAN`.
private struct TrimmingPlace {
  enum Phase: String {
    case noting, reading, removing
  }

  /// Redis's cursor at the beginning and at the end.
  static let end = "0"

  var phase = Phase.noting
  var revisions = Self.end
  var carts = Self.end

  init() {}

  init?(_ text: String) {
    let parts = text.split(separator: " ").map(String.init)
    guard parts.count == 3, let phase = Phase(rawValue: parts[0]), UInt64(parts[1]) != nil, UInt64(parts[2]) != nil
    else { return nil }
    self.phase = phase
    revisions = parts[1]
    carts = parts[2]
  }

  var text: String { "\(phase.rawValue) \(revisions) \(carts)" }
}
