package import CartDomain

/// Takes carts from Redis to PostgreSQL: reads them, persists them under the guard of their versions, and marks them.
/// It moves states, never differences, so it may be done by anyone, at any time, twice or at once.
package final class CartSynchronizer {
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
    /// It can't be read, or PostgreSQL refuses it.
    package var refused: [CartOwner] = []
    /// Where the database is now, if that was asked.
    package var lineage: DatabaseLineage?
  }

  /// One cart on its way: as it was read from Redis, and what is to be recorded of it.
  struct Parcel {
    var owner: CartOwner
    /// `nil` where it can't be persisted as it is.
    var snapshot: (hash: CartHash, updatedAt: Timestamp)?
    var events: [CartEvent]
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
    for _ in 0..<Self.attempts {
      let report = try sync([owner])
      if let version = report.versions[owner] { return version }
      if !report.refused.isEmpty { throw StoreError(.corrupt, "the cart can't be persisted") }
      if report.absent == 1, try restorer.restore([owner]).absent == 1 { return 0 }
    }
    throw StoreError(.unavailable, "the cart could not be persisted")
  }

  /// Who is not through by then has met others that bring the same cart back, again and again.
  private static let attempts = 50

  /// Synchronises carts and records events.
  ///
  /// - Parameters:
  ///   - owners: of different carts.
  ///   - events: to be recorded, of these and of other carts.
  ///   - since: where the database was when it was last seen; see ``PostgresCarts/write(_:events:since:)``.
  package func sync(
    _ owners: [CartOwner], events: [CartEvent] = [], since: DatabaseLineage? = nil
  ) throws(StoreError) -> Report {
    try carts.histories.within { history throws(StoreError) in
      var report = Report()
      let parcels = try collect(owners, events, in: history, &report)
      try deliver(parcels[...], since: since, in: history, &report)
      return report
    }
  }

  // MARK: Steps

  /// Reads carts. Those that may not be persisted as they are go their own ways.
  func collect(
    _ owners: [CartOwner], _ events: [CartEvent], in history: RedisHistory, _ report: inout Report
  ) throws(StoreError) -> [Parcel] {
    var recorded = Dictionary(grouping: events, by: \.owner)
    var parcels: [Parcel] = []
    var absent: [CartOwner] = []
    var stale: [CartOwner] = []
    for (owner, present) in zip(owners, owners.isEmpty ? [] : try carts.read(owners, in: history)) {
      var parcel = Parcel(owner: owner, snapshot: nil, events: recorded.removeValue(forKey: owner) ?? [])
      switch present {
      case .current(let hash, let usedAt): parcel.snapshot = (hash, usedAt)
      case .absent: absent.append(owner)
      case .stale: stale.append(owner)
      case .corrupt: report.refused.append(owner)
      }
      if parcel.snapshot != nil || !parcel.events.isEmpty { parcels.append(parcel) }
    }
    for (owner, events) in recorded { parcels.append(Parcel(owner: owner, snapshot: nil, events: events)) }
    if !absent.isEmpty { try carts.forget(absent, in: history) }
    if !stale.isEmpty { try restorer.restore(stale) }
    report.absent += absent.count
    report.compared += stale.count
    return parcels
  }

  /// Writes parcels into PostgreSQL and tells Redis of it. Where PostgreSQL refuses one, the others go without it.
  func deliver(
    _ parcels: ArraySlice<Parcel>, since: DatabaseLineage?, in history: RedisHistory, _ report: inout Report
  ) throws(StoreError) {
    if parcels.isEmpty, since == nil { return }
    let written: PostgresCarts.Written
    do throws(StoreError) {
      written = try archive.write(
        parcels.compactMap(\.snapshot), events: parcels.flatMap(\.events), since: since)
    } catch {
      // Whatever the database has against the data, it has it against one cart.
      guard error.code == .corrupt else { throw error }
      if parcels.count == 1 {
        report.refused.append(contentsOf: parcels.map(\.owner))
        // What was done is worth recording although what came of it is not.
        if parcels.contains(where: { $0.snapshot != nil }) {
          _ = try? archive.write([], events: parcels.flatMap(\.events), since: since)
        }
        return
      }
      let middle = parcels.startIndex + parcels.count / 2
      try deliver(parcels[..<middle], since: since, in: history, &report)
      try deliver(parcels[middle...], since: report.lineage ?? since, in: history, &report)
      return
    }
    if since != nil { report.lineage = written.lineage }
    try settle(parcels.compactMap(\.snapshot?.hash), written, in: history, &report)
  }

  /// Tells Redis what became of its carts, now that it is committed.
  func settle(
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
    let fenced = those(.fenced)
    if !fenced.isEmpty {
      // Somebody meant to bring it back and did not come to it: it goes on here.
      let owners = fenced.compactMap { hash in
        hash.cart.owner.map { (owner: $0, place: Optional((epoch: hash.epoch, version: hash.cart.version))) }
      }
      let claims = try archive.claim(owners, in: history)
      var raised: [(hash: CartHash, epoch: Int64)] = []
      for hash in fenced {
        if let owner = hash.cart.owner, let claim = claims[owner] { raised.append((hash, claim.epoch)) }
      }
      try carts.raise(raised, in: history)
      report.raised += fenced.count
    }
    let behind = those(.older) + those(.merged).filter { $0.state != .merged }
    if !behind.isEmpty {
      // Another synchroniser may have been faster: then the cart is not the one that was read any more.
      try carts.distrust(behind, in: history)
      try restorer.restore(behind.compactMap(\.cart.owner))
      report.compared += behind.count
    }
  }
}

@available(*, unavailable)
extension CartSynchronizer: Sendable {}
