import CartDomain

extension Syncer {
  /// What is to be done from time to time.
  enum Chore: CaseIterable {
    /// Shows that this syncer lives; notes that the database is where it was, or finds that it is not.
    case heartbeat
    /// Tells workers when Redis's memory runs out.
    case memory
    /// Publishes changes of the catalogue that nobody has.
    case catalogue
    /// Applies stock that an import has left, and publishes stock that has moved, whose senders have died.
    case stock
    /// Takes over changes that a dead syncer had taken.
    case abandoned
    /// Persists carts that the stream has not told of.
    case dirty
    /// Delivers commands whose senders have died.
    case commands
    /// Ends merges whose beginners have died.
    case merges
    /// Tries those again that PostgreSQL has refused.
    case quarantine
    /// Looks whether every cart that was used lately is persisted.
    case active
    /// Lets go of carts that were not used for long.
    case idle
    /// Makes room in PostgreSQL, and the tables of months to come.
    case housekeeping

    /// Milliseconds.
    var interval: Int64 {
      switch self {
      case .memory, .abandoned, .dirty, .commands, .merges, .stock: 2_000
      case .catalogue: 5_000
      case .heartbeat: 30_000
      case .quarantine: 600_000
      case .active, .idle: 3_600_000
      case .housekeeping: 6 * 3_600_000
      }
    }
  }

  func carryOut(_ chore: Chore) throws(StoreError) {
    switch chore {
    case .heartbeat:
      try stream.showLife()
      try sync([])
    case .memory: try connection.announcePressure()
    case .catalogue: try catalogue.publish()
    case .stock: for _ in 0..<Self.mostBatches where try stock.step() { break }
    case .abandoned: try takeOver()
    case .dirty: try persistDirty(before: now.adding(milliseconds: -Self.dirtyMilliseconds))
    case .commands: _ = try deliverCommands(olderThan: Self.commandMilliseconds)
    case .merges: try endMerges()
    case .quarantine: try retryQuarantine()
    case .active: try persistActive()
    case .idle: try releaseIdle()
    case .housekeeping: try keepHouse()
    }
  }

  /// After PostgreSQL was away there is more than one batch: all that was taken meanwhile.
  private func takeOver() throws(StoreError) {
    var batches = 0
    repeat {
      try work(on: stream.takeAbandoned(configuration.batch))
      batches += 1
    } while !stream.isSearchThrough && batches < Self.mostBatches
  }

  /// Fresh changes wait for no more than so many batches of old ones.
  private static let mostBatches = 20

  /// Longer than the stream's way takes.
  private static let dirtyMilliseconds: Int64 = 1_500

  /// - Parameter latest: carts that are dirty since then or longer; `nil` for all.
  func persistDirty(before latest: Timestamp?) throws(StoreError) {
    var tried: Set<CartOwner> = []
    while true {
      // Those that are persisted leave the list; those that stay are tried once.
      let found = try lists.carts(.dirty, upTo: latest, limit: configuration.batch).map(\.owner)
      let fresh = found.filter { !tried.contains($0) }
      if fresh.isEmpty { return }
      try sync(fresh)
      tried.formUnion(fresh)
    }
  }

  /// The time that whoever sent a command has for delivering it himself, in milliseconds.
  private static let commandMilliseconds = 1_000

  /// - Returns: to whom; at most ``Configuration/batch``.
  func deliverCommands(olderThan milliseconds: Int) throws(StoreError) -> [CartOwner] {
    let owners = try archive.ownersWithCommands(olderThan: milliseconds, limit: configuration.batch)
    for owner in owners {
      if try !restorer.courier.deliver(to: owner) { try restorer.restore([owner]) }
      try sync([owner])
    }
    return owners
  }

  private func endMerges() throws(StoreError) {
    for guest in try archive.guestsBeingMerged(for: Self.commandMilliseconds, limit: configuration.batch) {
      // Redis may have lost that it was frozen: then the merge has never been.
      try restorer.restore([guest])
      try merger.end(guest)
      try sync([guest])
    }
  }

  private func retryQuarantine() throws(StoreError) {
    let found = try lists.carts(.quarantine, limit: 10_000).map(\.owner)
    quarantine = []
    for owner in found {
      try sync([owner])
      if !quarantine.contains(owner) { try lists.remove([owner], from: .quarantine) }
    }
  }

  /// Twice the time between two looks.
  private static let activeMilliseconds: Int64 = 7_200_000

  private func persistActive() throws(StoreError) {
    let tag = try archive.lineage().tag
    let earliest = now.adding(milliseconds: -Self.activeMilliseconds)
    try lists.forEach(.active, from: earliest, upTo: now, inBatchesOf: configuration.batch) {
      found throws(StoreError) in
      let history = try carts.histories.current()
      var missing: [CartOwner] = []
      for (entry, present) in zip(found, try carts.read(found.map(\.owner), in: history)) {
        if case .current(let hash, _) = present, hash.persistedVersion == hash.cart.version,
          hash.databaseLineage == tag
        {
          continue
        }
        missing.append(entry.owner)
      }
      if !missing.isEmpty { try sync(missing) }
    }
  }

  private static let day: Int64 = 86_400_000
  /// A guest's cart is gone by then, whoever else has used it.
  private static let longestGuest = Cart.guestLifetimeMilliseconds + day

  private func releaseIdle() throws(StoreError) {
    let idle = configuration.idleDays > 0 ? Int64(configuration.idleDays) * Self.day : nil
    // A database that was put back a moment ago still has the tag that it had.
    try carryOut(.heartbeat)
    let tag = try archive.lineage().tag
    let history = try carts.histories.current()
    let latest = now.adding(milliseconds: -min(idle ?? Self.longestGuest, Self.longestGuest))
    try lists.forEach(.active, upTo: latest, inBatchesOf: configuration.batch) { found throws(StoreError) in
      var idlers: [(owner: CartOwner, hash: CartHash)] = []
      var gone: [CartOwner] = []
      for (entry, present) in zip(found, try carts.read(found.map(\.owner), in: history)) {
        switch present {
        case .absent: gone.append(entry.owner)
        case .current(let hash, let usedAt):
          if let idle, !entry.owner.isGuest, usedAt < now.adding(milliseconds: -idle) {
            idlers.append((entry.owner, hash))
          }
        case .stale, .corrupt: break
        }
      }
      try lists.remove(gone, from: .active)
      if let idle, !idlers.isEmpty {
        let released = try carts.evict(
          idlers.map(\.owner), tag: tag, usedBefore: now.adding(milliseconds: -idle), in: history)
        for (idler, isGone) in zip(idlers, released) where isGone { try archive.release(idler.hash) }
      }
    }
  }

  private func keepHouse() throws(StoreError) {
    try stream.removeIdleReaders()
    try archive.prepareMonths()
    if configuration.monthsKept > 0 { try archive.dropMonths(before: configuration.monthsKept) }
    while try archive.removeExpiredGuests(limit: configuration.batch) == configuration.batch {}
    while try archive.removeErased(limit: configuration.batch) == configuration.batch {}
    if configuration.orderKeysDays > 0 {
      let (book, days) = (PostgresOrders(archive), configuration.orderKeysDays)
      while try book.removeOldKeys(olderThanDays: days, limit: configuration.batch) == configuration.batch {}
    }
  }
}
