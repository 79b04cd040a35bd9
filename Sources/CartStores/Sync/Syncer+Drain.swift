package import CartDomain

extension Syncer {
  /// What ``drain()`` has left undone.
  package struct Remainder: Equatable, Sendable {
    /// PostgreSQL refuses them, or they can't be read: they are set aside.
    package var refused: [CartOwner] = []
    /// Changes that another syncer has taken and not yet recorded.
    package var changesElsewhere = 0
  }

  /// Does all that there is to do, and ends: for a host where no syncer runs, and for those who can't wait for it.
  ///
  /// What shoppers do meanwhile may be left for the next time.
  ///
  /// - Throws: ``StoreError`` where a store is away; what was not done is done by whoever comes next.
  package func drain() throws(StoreError) -> Remainder {
    _ = try carts.histories.current()
    try stream.open()
    // The database may have gone back: then every cart is dirty.
    try carryOut(.heartbeat)
    try carryOut(.quarantine)
    try drainStream()
    try drainDirty()
    try drainCommands()
    try carryOut(.merges)
    try carryOut(.catalogue)
    for chore in [Chore.active, .idle, .housekeeping] { try carryOut(chore) }
    // A command that was carried out is a change like any other.
    try drainStream()
    try drainDirty()
    let refused = try lists.carts(.quarantine, between: nil, and: nil, limit: 10_000).map(\.owner)
    let remainder = Remainder(refused: refused, changesElsewhere: try stream.entriesInHand())
    try stream.leave()
    return remainder
  }

  private func drainStream() throws(StoreError) {
    let latest = now
    while true {
      let batch = try stream.take(configuration.batch, waiting: 0)
      try work(on: batch)
      // Shoppers may be faster than this.
      if batch.isEmpty || batch.events.last.map({ $0.at > latest }) == true { break }
    }
    repeat { try carryOut(.abandoned) } while !stream.isSearchThrough
  }

  /// A cart that is dirty after so many rounds does not get clean in this way.
  private static let rounds = 16

  private func drainDirty() throws(StoreError) {
    let latest = now
    var last: Set<CartOwner> = []
    var round = 0
    while true {
      // Those set aside that a shopper has changed since stay on the list, and in nobody's way.
      let limit = configuration.batch + quarantine.count
      let found = try lists.carts(.dirty, between: nil, and: latest, limit: limit).map(\.owner)
      let owners = found.filter { !quarantine.contains($0) }
      if owners.isEmpty { return }
      round = last.isSuperset(of: owners) ? round + 1 : 0
      if round == Self.rounds { throw StoreError(.unavailable, "some carts do not come to rest") }
      last = Set(owners)
      try sync(owners)
    }
  }

  private func drainCommands() throws(StoreError) {
    var last: [CartOwner] = []
    while true {
      let owners = try deliverCommands(olderThan: 0)
      // Commands for a cart that can't be persisted stay.
      if owners.isEmpty || Set(owners).isSubset(of: last) { return }
      last = owners
    }
  }
}
