package import CartDomain

/// Takes carts from Redis to PostgreSQL: reads them, persists them under the guard of their versions, and marks them.
/// It moves states, never differences, so it may be done by anyone, at any time, twice or at once.
package final class CartPersister {
  /// What became of carts that were to be synchronised.
  package struct Report: Equatable, Sendable {
    /// The versions that are persisted now.
    package var versions: [CartOwner: Int64] = [:]
    /// Redis has no such cart.
    package var absent = 0
    /// It was of another history, or older than PostgreSQL's copy, and was compared.
    package var compared = 0
    /// It has got a higher epoch and must be synchronised again.
    package var raised = 0
    /// It can't be read, or PostgreSQL refuses it; and why.
    package var refused: [CartOwner: String] = [:]
    /// Somebody else has locked its row.
    package var locked = 0
    /// Where the database is now, if that was asked.
    package var lineage: DatabaseLineage?
  }

  let carts: RedisCarts
  let archive: PostgresCarts
  let restorer: CartRestorer

  package init(_ restorer: CartRestorer) {
    self.restorer = restorer
    carts = restorer.carts
    archive = restorer.archive
  }

  /// Synchronises one cart, as a shopper or an operator asks for it.
  ///
  /// - Returns: the version that Redis had and PostgreSQL has; 0 for a cart that neither has.
  package func sync(_ owner: CartOwner) throws(StoreError) -> Int64 {
    try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<Int64> in
      let report = try sync([owner])
      if let version = report.versions[owner] { return .done(version) }
      if let reason = report.refused[owner] { throw StoreError(.corrupt, "the cart can't be persisted: \(reason)") }
      guard report.absent == 1, try restorer.restore([owner]).absent == 1 else { return .again }
      return .done(0)
    }
  }

  /// Who is not through by then has met others that bring the same cart back, again and again.
  private static let attempts = 50

  /// Synchronises carts.
  package func sync(_ owners: [CartOwner]) throws(StoreError) -> Report { try sync(owners, in: nil) }

  /// Where a syncer writes: see ``PostgresCarts/write(_:lane:since:)``.
  struct Lane {
    var number: Int
    /// Where the database was when it was last written to in this lane.
    var since: DatabaseLineage
  }

  /// Synchronises carts, as a syncer does if there is a lane: then rows that others have locked are passed over, and a
  /// cart that can't be written is refused, whatever the reason.
  func sync(_ owners: [CartOwner], in lane: Lane?) throws(StoreError) -> Report {
    try carts.histories.within { history throws(StoreError) in
      var report = Report()
      let copies = try collect(owners, in: history, &report)
      if !copies.isEmpty || owners.isEmpty { try persist(copies[...], in: history, lane, &report) }
      return report
    }
  }

  // MARK: Steps

  /// Reads carts. Those that may not be persisted as they are go their own ways.
  private func collect(
    _ owners: [CartOwner], in history: RedisHistory, _ report: inout Report
  ) throws(StoreError) -> [PostgresCarts.Copy] {
    var copies: [PostgresCarts.Copy] = []
    var absent: [CartOwner] = []
    var stale: [CartOwner] = []
    for (owner, present) in zip(owners, owners.isEmpty ? [] : try carts.read(owners, in: history)) {
      switch present {
      case .current(let hash, let usedAt): copies.append((hash, usedAt))
      case .absent: absent.append(owner)
      case .stale: stale.append(owner)
      case .corrupt: report.refused[owner] = "Redis: the cart can't be read"
      }
    }
    if !absent.isEmpty { try carts.forget(absent, in: history) }
    report.absent += absent.count
    try compare(stale, &report)
    return copies
  }

  private func compare(_ owners: [CartOwner], _ report: inout Report) throws(StoreError) {
    if owners.isEmpty { return }
    let restored = try restorer.restoreReadable(owners[...])
    for owner in restored.refused { report.refused[owner] = "a copy of the cart can't be read" }
    report.compared += owners.count - restored.refused.count
  }

  /// Writes copies into PostgreSQL and tells Redis of it; in halves, where all at once can't be written.
  private func persist(
    _ copies: ArraySlice<PostgresCarts.Copy>, in history: RedisHistory, _ lane: Lane?, _ report: inout Report
  ) throws(StoreError) {
    let written: PostgresCarts.Written
    do throws(StoreError) {
      written = try write(Array(copies), lane, report.lineage)
    } catch {
      // Whatever the database has against the data, it has it against one cart. What takes too long together may not by
      // itself.
      let isOfCart = error.code == .corrupt || lane != nil && error.wasReached
      guard isOfCart, let owner = copies.first?.hash.cart.owner else { throw error }
      // Is it one of these carts, or can no cart be written?
      if error.code != .corrupt || copies.count == 1 { try archive.tryToPersist() }
      if copies.count > 1 {
        let middle = copies.startIndex + copies.count / 2
        try persist(copies[..<middle], in: history, lane, &report)
        return try persist(copies[middle...], in: history, lane, &report)
      }
      report.refused[owner] = error.message
      return
    }
    if lane != nil { report.lineage = written.lineage }
    try applyOutcome(copies.map(\.hash), written, in: history, &report)
  }

  private func write(
    _ copies: [PostgresCarts.Copy], _ lane: Lane?, _ last: DatabaseLineage?
  ) throws(StoreError) -> PostgresCarts.Written {
    guard let lane else { return try archive.write(copies) }
    return try archive.write(copies, lane: lane.number, since: last ?? lane.since)
  }

  private typealias Claimed = (owner: CartOwner, place: (epoch: Int64, version: Int64)?)

  /// Claims carts; one that can't be claimed now is left out.
  private func claims(
    on owners: ArraySlice<Claimed>, in history: RedisHistory
  ) throws(StoreError) -> [CartOwner: PostgresCarts.Claim] {
    do throws(StoreError) {
      return try archive.claim(Array(owners), in: history)
    } catch {
      guard error.code == .corrupt || error.wasReached else { throw error }
      if owners.count == 1 { return [:] }
    }
    let middle = owners.startIndex + owners.count / 2
    return try claims(on: owners[..<middle], in: history)
      .merging(try claims(on: owners[middle...], in: history)) { one, _ in one }
  }

  /// Tells Redis what became of its carts, now that it is committed.
  func applyOutcome(
    _ hashes: [CartHash], _ written: PostgresCarts.Written, in history: RedisHistory, _ report: inout Report
  ) throws(StoreError) {
    func those(_ wanted: PostgresCarts.Persisted...) -> [CartHash] {
      zip(hashes, written.outcomes).filter { wanted.contains($0.1) }.map(\.0)
    }
    // Of a guest's cart that was merged both say the same.
    let agreed = those(.merged).filter { $0.state == .merged }
    let persisted = those(.written) + agreed
    if !persisted.isEmpty { try carts.markPersisted(persisted, tag: written.lineage.tag, in: history) }
    for hash in persisted {
      if let owner = hash.cart.owner { report.versions[owner] = hash.state == .merged ? 0 : hash.cart.version }
    }
    let outranked = those(.outranked)
    if !outranked.isEmpty {
      // Somebody meant to bring it back and did not come to it: it goes on here.
      let owners = outranked.compactMap { hash in
        hash.cart.owner.map { (owner: $0, place: Optional((epoch: hash.epoch, version: hash.cart.version))) }
      }
      let claims = try claims(on: owners[...], in: history)
      var raised: [(hash: CartHash, epoch: Int64)] = []
      for hash in outranked {
        if let owner = hash.cart.owner, let claim = claims[owner] { raised.append((hash, claim.epoch)) }
      }
      try carts.raise(raised, in: history)
      report.raised += outranked.count
    }
    let behind = those(.older) + those(.merged).filter { $0.state != .merged }
    if !behind.isEmpty {
      // Another synchroniser may have been faster: then the cart is not the one that was read any more.
      try carts.invalidate(behind, in: history)
      try compare(behind.compactMap(\.cart.owner), &report)
    }
    report.locked += those(.locked).count
  }
}

@available(*, unavailable)
extension CartPersister: Sendable {}
