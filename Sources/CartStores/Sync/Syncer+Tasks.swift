import CartDomain

extension Syncer {
  /// Does a part of a task.
  ///
  /// - Parameters:
  ///   - place: where it goes on; `nil` at its beginning.
  ///   - deadline: of the monotonic clock; what is begun is ended.
  /// - Returns: where to go on; `nil` if it is through.
  func run(_ task: PeriodicTask, from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    switch task {
    case .memory: try connection.announcePressure()
    case .marking: return try markAll(from: place, until: deadline)
    case .catalogue: return try catalogue.publish(from: place, until: deadline).next
    case .stock: return try keepStock(until: deadline)
    case .commands: return try deliverCommands(olderThan: Self.commandMilliseconds, from: place, until: deadline)
    case .merges: return try endMerges(from: place, until: deadline)
    case .active: return try persistActive(from: place, until: deadline)
    case .idle: return try releaseIdle(from: place, until: deadline)
    case .months:
      try archive.prepareMonths()
      if configuration.monthsKept > 0 { try archive.dropMonths(before: configuration.monthsKept) }
    case .sweep: return try archive.sweep(after: place, limit: Self.sweptRows).next
    case .retention: return try removeOld()
    case .revisions: return try catalogue.trimRevisions(from: place, until: deadline)
    }
    return nil
  }

  /// Some milliseconds of work.
  private static let sweptRows = 1_000

  private func keepStock(until deadline: Int64) throws(StoreError) -> String? {
    repeat {
      if try stock.step() { return nil }
    } while RedisClock.monotonic < deadline
    return Self.more
  }

  private func removeOld() throws(StoreError) -> String? {
    // Kept for ever if it is 0.
    let days = configuration.orderKeysDays == 0 ? Self.forEver : configuration.orderKeysDays
    let merges = try archive.removeOldMerges(orderKeysDays: days, limit: Self.removedRows)
    let keys = try PostgresOrders(archive).removeOldKeys(olderThanDays: days, limit: Self.removedRows)
    return max(merges, keys) == Self.removedRows ? Self.more : nil
  }

  /// The place of a task that begins where it has stopped by itself.
  private static let more = "more"

  private static let removedRows = 500
  /// Days.
  private static let forEver = 1_000_000

  // MARK: The database has gone back

  /// Marks every cart as dirty, and publishes the catalogue anew. The place says for which of the database's tags.
  private func markAll(from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    let key = connection.keys.database
    let text = try connection.exchange(RedisCommand("GET", key), .idempotent)
      .read(0) { value throws(StoreError) in try value.string() ?? "" }
    guard text.split(separator: "|").count == 3, let lineage = DatabaseLineage(text) else { return nil }
    let parts = (place ?? "").split(separator: " ").map(String.init)
    var cursor = parts.count == 2 && parts[0] == lineage.tag ? parts[1] : nil
    // The catalogue comes first: it is begun here, and ended as any change of it is.
    if cursor == nil, let next = try catalogue.publish(from: nil, anew: true, until: deadline).next {
      try schedule.reschedule(.catalogue, after: 0, place: next)
    }
    repeat {
      let page = try lists.scan(after: cursor)
      try lists.add(page.owners, to: .dirty, at: now)
      cursor = page.next
    } while cursor != nil && RedisClock.monotonic < deadline
    if let cursor { return "\(lineage.tag) \(cursor)" }
    try connection.runAllowingOOM(RedisCommand("SET", key, lineage.text), on: key).check(0)
    return nil
  }

  // MARK: Commands and merges

  /// The time that whoever sent a command has for delivering it himself, in milliseconds.
  private static let commandMilliseconds = 1_000

  /// - Parameter place: microseconds since 1970; commands given after that.
  func deliverCommands(
    olderThan milliseconds: Int, from place: String?, until deadline: Int64
  ) throws(StoreError) -> String? {
    var moment = place.flatMap { Int64($0) } ?? 0
    repeat {
      let found = try archive.ownersWithCommands(olderThan: milliseconds, after: moment, limit: Self.fewCarts)
      for owner in found.owners {
        try eachByItself { () throws(StoreError) in
          try restorer.followCommands(owner)
          if quarantine[owner] == nil { try persist([owner]) }
        }
      }
      guard let next = found.next else { return nil }
      moment = next
    } while RedisClock.monotonic < deadline
    return String(moment)
  }

  /// So many carts that are each done by themselves take no longer than a budget.
  private static let fewCarts = 20

  private func endMerges(from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    var last = place ?? ""
    repeat {
      let guests = try archive.guestsBeingMerged(for: Self.commandMilliseconds, after: last, limit: Self.fewCarts)
      for guest in guests {
        try eachByItself { () throws(StoreError) in
          // Redis may have lost that it was frozen: then the merge has never been.
          try restorer.restore([guest])
          try merger.end(guest)
          if quarantine[guest] == nil { try persist([guest]) }
        }
      }
      guard guests.count == Self.fewCarts, let end = guests.last?.id else { return nil }
      last = end
    } while RedisClock.monotonic < deadline
    return last
  }

  /// What is wrong with one cart does not hold up the others; a store that is away does.
  private func eachByItself(_ body: () throws(StoreError) -> Void) throws(StoreError) {
    do throws(StoreError) {
      try body()
    } catch {
      guard error.code == .corrupt || error.wasReached else { throw error }
      observer.note("a command or a merge of one cart can't be carried out now: \(error.message)")
    }
  }

  // MARK: Carts by their last use

  /// Twice the time between two looks.
  private static let activeMilliseconds: Int64 = 7_200_000

  private func persistActive(from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    var place = place ?? "\(now.adding(milliseconds: -Self.activeMilliseconds).milliseconds) "
    let tag = try archive.lineage().tag
    repeat {
      let page = try lists.page(.active, after: place, limit: configuration.batch)
      // Each is persisted by the syncer that has it in its part.
      let missing = try carts.unpersisted(page.carts.map(\.owner), tag: tag, in: carts.histories.current())
      try lists.add(missing, to: .dirty, at: now)
      guard let next = page.next else { return nil }
      place = next
    } while RedisClock.monotonic < deadline
    return place
  }

  private static let day: Int64 = 86_400_000
  /// A guest's cart is gone by then, whoever else has used it.
  private static let longestGuest = Cart.guestLifetimeMilliseconds + day

  private func releaseIdle(from place: String?, until deadline: Int64) throws(StoreError) -> String? {
    let idle = configuration.idleDays > 0 ? Int64(configuration.idleDays) * Self.day : nil
    let latest = now.adding(milliseconds: -min(idle ?? Self.longestGuest, Self.longestGuest))
    let released = now.adding(milliseconds: -(idle ?? .max / 2))
    var place = place
    // A database that was put back a moment ago still has the tag that it had.
    try heartbeat()
    let tag = try archive.lineage().tag
    repeat {
      let page = try lists.page(.active, after: place, upTo: latest, limit: configuration.batch)
      try release(page.carts.filter { $0.owner.isGuest || $0.time < released }, usedBefore: released, tag: tag)
      guard let next = page.next else { return nil }
      place = next
    } while RedisClock.monotonic < deadline
    return place
  }

  private func release(
    _ entries: [CartLists.Entry], usedBefore moment: Timestamp, tag: String
  ) throws(StoreError) {
    if entries.isEmpty { return }
    let history = try carts.histories.current()
    var idlers: [(owner: CartOwner, hash: CartHash)] = []
    var gone: [CartOwner] = []
    for (entry, present) in zip(entries, try carts.read(entries.map(\.owner), in: history)) {
      switch present {
      case .absent: gone.append(entry.owner)
      case .current(let hash, let usedAt):
        if !entry.owner.isGuest, usedAt < moment { idlers.append((entry.owner, hash)) }
      case .stale, .corrupt: break
      }
    }
    try lists.remove(gone, from: .active)
    if idlers.isEmpty { return }
    let released = try carts.evict(idlers.map(\.owner), tag: tag, usedBefore: moment, in: history)
    for (idler, isGone) in zip(idlers, released) where isGone { try archive.release(idler.hash) }
  }
}
