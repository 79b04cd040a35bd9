import CartDomain

extension Syncer {
  /// So many lines go into one transaction at most, but for a cart that has more by itself.
  private static let maximumLines = 5_000

  /// Persists those of `owners` that are in this syncer's part and not refused, batch by batch until `deadline`, by the
  /// monotonic clock. What is left over stays on the list of dirty carts.
  ///
  /// - Returns: those that were persisted.
  @discardableResult
  func sync(_ owners: [CartOwner], until deadline: Int64 = .max) throws(StoreError) -> Set<CartOwner> {
    let owners = owners.filter { registry.share.contains($0) && quarantine[$0] == nil }
    var persisted: Set<CartOwner> = []
    if owners.isEmpty { return persisted }
    let sizes = try carts.sizes(of: owners)
    var index = 0
    repeat {
      var batch: [CartOwner] = []
      var lines = 0
      while index < owners.count, batch.count < configuration.batch,
        batch.isEmpty || lines + sizes[index] <= Self.maximumLines
      {
        batch.append(owners[index])
        lines += sizes[index]
        index += 1
      }
      persisted.formUnion(try persist(batch))
    } while index < owners.count && RedisClock.monotonic < deadline
    return persisted
  }

  /// - Returns: those that were persisted.
  @discardableResult
  func persist(_ owners: [CartOwner]) throws(StoreError) -> Set<CartOwner> {
    let report = try syncInLane(owners)
    try setAside(report.refused)
    return Set(report.versions.keys)
  }

  private func syncInLane(_ owners: [CartOwner]) throws(StoreError) -> CartPersister.Report {
    let number = registry.lane
    let since = try databaseSeen(in: number)
    let report = try persister.sync(owners, in: CartPersister.Lane(number: number, since: since))
    if let lineage = report.lineage { try see(lineage, in: number, after: since) }
    observer.report(report)
    return report
  }

  // MARK: The database's place in time

  /// Where the database was when this lane was last written to, as Redis remembers it.
  private func databaseSeen(in lane: Int) throws(StoreError) -> DatabaseLineage {
    let keys = connection.keys
    let replies = try connection.exchange(
      [RedisCommand("GET", keys.database), RedisCommand("HGET", keys.lanes, String(lane))], .idempotent)
    let text = try replies.read(0) { value throws(StoreError) in try value.string() ?? "" }
    let number = try replies.read(1) { value throws(StoreError) in try value.string() }.flatMap { Int64($0) }
    guard var seen = DatabaseLineage(text) else {
      var lineage = try archive.lineage()
      lineage.number = 0
      try connection.runAllowingOOM(RedisCommand("SET", keys.database, lineage.text), on: keys.database).check(0)
      return lineage
    }
    seen.number = number ?? 0
    return seen
  }

  private func see(_ lineage: DatabaseLineage, in lane: Int, after since: DatabaseLineage) throws(StoreError) {
    let keys = connection.keys
    if lineage.tag != since.tag {
      // PostgreSQL was put back: it may lack what it once had. That is noted before any cart is marked, so that whoever
      // comes next goes on with it.
      observer.note("PostgreSQL has gone back, or is another: every cart is persisted anew")
      let text = "\(since.text)|\(lineage.tag)"
      try connection.runAllowingOOM(RedisCommand("SET", keys.database, text), on: keys.database).check(0)
      try schedule.reschedule(.marking, after: 0)
    }
    let command = RedisCommand("HSET", keys.lanes, String(lane), String(lineage.number))
    try connection.runAllowingOOM(command, on: keys.lanes).check(0)
  }

  // MARK: Carts that PostgreSQL refuses

  /// A cart is tried again after so long, and then after twice as long each time, in milliseconds.
  private static let firstPause: Int64 = 5_000
  private static let longestPause: Int64 = 600_000

  /// What the list in Redis says counts: a cart that has left it, by whomever, is refused no more.
  func learnQuarantine() throws(StoreError) {
    var found: [CartOwner: Int64] = [:]
    var place: String?
    repeat {
      let page = try lists.page(.quarantine, after: place, limit: 1_000)
      for entry in page.carts { found[entry.owner] = quarantine[entry.owner] ?? Self.firstPause }
      place = page.next
    } while place != nil
    quarantine = found
  }

  private func setAside(_ refused: [CartOwner: String]) throws(StoreError) {
    for (owner, reason) in refused {
      let pause = quarantine[owner] ?? Self.firstPause
      quarantine[owner] = min(pause * 2, Self.longestPause)
      let next = now.adding(milliseconds: pause)
      try lists.add([owner], to: .quarantine, at: next)
      try lists.move(owner, on: .quarantine, to: next)
      try lists.note(reason, of: owner)
      try lists.remove([owner], from: .dirty)
      if pause == Self.firstPause { observer.note("a cart can't be persisted, and is set aside: \(reason)") }
    }
  }

  /// Tries those again whose time has come; also those that a syncer has refused which has died since.
  func retryRefused(until deadline: Int64) throws(StoreError) {
    var place: String?
    repeat {
      let page = try lists.page(.quarantine, after: place, upTo: now, limit: 200)
      for (owner, _) in page.carts where registry.share.contains(owner) && RedisClock.monotonic < deadline {
        _ = try retry(owner)
      }
      place = page.next
    } while place != nil && RedisClock.monotonic < deadline
  }

  /// - Returns: whether the cart is refused no more.
  func retry(_ owner: CartOwner) throws(StoreError) -> Bool {
    let report = try syncInLane([owner])
    guard report.refused.isEmpty else {
      try setAside(report.refused)
      return false
    }
    quarantine[owner] = nil
    // It may be one that had to be compared first, or whose row somebody has locked.
    if report.versions[owner] == nil { try lists.add([owner], to: .dirty, at: now) }
    try lists.remove([owner], from: .quarantine)
    try lists.note(nil, of: owner)
    return true
  }
}
