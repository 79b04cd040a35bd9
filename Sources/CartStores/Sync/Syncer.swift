package import CartDomain

/// Keeps PostgreSQL behind Redis by less than a second, and both in order.
///
/// It reads the stream of changes, and looks after what the stream may have missed: carts that have been dirty for too
/// long, commands that nobody has delivered, carts that nobody uses. Each step may be done twice or by two syncers at
/// once; one that dies leaves nothing that the next one does not find.
package final class Syncer {
  package struct Configuration: Sendable {
    /// So many changes go into one transaction.
    package var batch = 500
    /// A user's cart that was not used for so many days leaves Redis; 0: never.
    package var idleDays = 90
    /// Whether guests' carts are kept in PostgreSQL.
    package var keepsGuests = true
    /// The record of changes is kept for so many months beside the current one; 0: for ever.
    package var monthsKept = 0
    /// The keys of orders are kept for so many days; 0: for ever.
    package var orderKeysDays = 400

    package init() {}

    /// Reads ``SettingKey/guestPersist``, ``SettingKey/idleDays``, ``SettingKey/changesMonths`` and
    /// ``SettingKey/orderKeysDays``.
    package init(_ settings: Settings) throws(SettingsError) {
      guard ["on", "off"].contains(settings[.guestPersist]) else {
        throw SettingsError("\(SettingKey.guestPersist.rawValue): neither on nor off")
      }
      keepsGuests = settings[.guestPersist] == "on"
      idleDays = try settings.integer(.idleDays, in: 0...100_000)
      monthsKept = try settings.integer(.changesMonths, in: 0...1_200)
      orderKeysDays = try settings.integer(.orderKeysDays, in: 0...100_000)
    }
  }

  /// What it tells of its work.
  package struct Observer {
    /// Milliseconds between a change in Redis and its commit in PostgreSQL.
    package var lag: (Int64) -> Void = { _ in }
    package var report: (CartSynchronizer.Report) -> Void = { _ in }
    package var restored: (CartRestorer.Report) -> Void = { _ in }
    /// Something for the log.
    package var note: (String) -> Void = { _ in }

    package init() {}
  }

  package var observer = Observer()
  let configuration: Configuration
  let connection: RedisConnection
  let archive: PostgresCarts
  let carts: RedisCarts
  let restorer: CartRestorer
  let synchronizer: CartSynchronizer
  let stream: ChangeStream
  let lists: CartLists
  let catalogue: RedisCatalogue
  let merger: CartMerger
  var quarantine: Set<CartOwner> = []
  let stock: StockKeeper
  private var schedule: [Chore: Timestamp] = [:]

  /// - Parameter name: unique among all syncers of this Redis.
  package init(
    _ connection: RedisConnection, archive: PostgresCarts, name: String, configuration: Configuration = Configuration()
  ) {
    self.configuration = configuration
    self.connection = connection
    self.archive = archive
    carts = RedisCarts(connection, histories: RedisHistories(connection, archive: archive))
    restorer = CartRestorer(carts, archive: archive)
    synchronizer = CartSynchronizer(restorer, keepsGuests: configuration.keepsGuests)
    stream = ChangeStream(connection, reader: name)
    lists = CartLists(connection)
    let source = PostgresCatalogue(archive.connection)
    catalogue = RedisCatalogue(connection: connection, source: source)
    stock = StockKeeper(source, catalogue: catalogue)
    merger = CartMerger(restorer, synchronizer: synchronizer, catalogue: catalogue)
    restorer.observe = { [unowned self] in observer.restored($0) }
  }

  /// The longest that ``turn()`` waits for a change, in milliseconds: below the patience of a connection.
  private static let patience = 1_000

  /// Does what there is to do, waiting a moment for it.
  ///
  /// - Throws: ``StoreError`` where a store is away; what was not done is done by a later turn.
  package func turn() throws(StoreError) {
    _ = try carts.histories.current()
    try work(on: stream.take(configuration.batch, waiting: Self.patience))
    for chore in Chore.allCases where isDue(chore) {
      try carryOut(chore)
      schedule[chore] = now.adding(milliseconds: chore.interval)
    }
  }

  /// Works off all that there is: every change that was made before, and whatever the stream has missed.
  ///
  /// - Parameter seconds: how long it may take; what is left then stays in Redis.
  package func finish(within seconds: Int) throws(StoreError) {
    let deadline = RedisClock.monotonic + Int64(seconds) * 1_000
    let latest = now
    repeat {
      let batch = try stream.take(configuration.batch, waiting: 0)
      try work(on: batch)
      if batch.isEmpty || batch.events.last.map({ $0.at > latest }) == true { break }
    } while RedisClock.monotonic < deadline
    try carryOut(.abandoned)
    try persistDirty(before: latest)
    try carryOut(.commands)
  }

  /// Takes this syncer off the list of those that live.
  package func leave() throws(StoreError) { try stream.leave() }

  var now: Timestamp { connection.now }

  private func isDue(_ chore: Chore) -> Bool { schedule[chore].map { $0 <= now } ?? true }

  // MARK: Changes

  func work(on batch: ChangeStream.Batch) throws(StoreError) {
    if batch.isEmpty { return }
    try sync(Array(Set(batch.events.map(\.owner))), events: batch.events)
    try stream.acknowledge(batch)
    let now = now.milliseconds
    for event in batch.events { observer.lag(max(0, now - event.at.milliseconds)) }
    if batch.unreadable > 0 { observer.note("\(batch.unreadable) changes can't be read, and are not recorded") }
  }

  /// Synchronises carts; those that PostgreSQL refuses are set aside.
  func sync(_ owners: [CartOwner], events: [CartEvent] = []) throws(StoreError) {
    let since = try databaseSeen()
    let report = try synchronizer.sync(owners.filter { !quarantine.contains($0) }, events: events, since: since)
    if let lineage = report.lineage { try see(lineage, after: since) }
    try setAside(report.refused)
    observer.report(report)
  }

  // MARK: The database's place in time

  /// Where the database was when a syncer last wrote to it, as Redis remembers it.
  private func databaseSeen() throws(StoreError) -> DatabaseLineage {
    let replies = try connection.exchange(RedisCommand("GET", connection.keys.database), .reading)
    let text = try replies.read(0) { value throws(StoreError) in try value.string() ?? "" }
    if let lineage = DatabaseLineage(text) { return lineage }
    return try archive.lineage()
  }

  private func see(_ lineage: DatabaseLineage, after since: DatabaseLineage) throws(StoreError) {
    if lineage.tag != since.tag {
      // PostgreSQL was put back: it may lack what it once had. The marks come first, so that a death between them and
      // the new tag leaves the next syncer to find the same.
      observer.note("PostgreSQL has gone back, or is another: every cart is persisted anew")
      try lists.forEachCart { owners throws(StoreError) in try lists.add(owners, to: .dirty, at: now) }
      try catalogue.publish(anew: true)
    }
    let key = connection.keys.database
    try connection.carryOutAnyway(RedisCommand("SET", key, lineage.text), on: key).check(0)
  }

  // MARK: Carts that PostgreSQL refuses

  private func setAside(_ owners: [CartOwner]) throws(StoreError) {
    if owners.isEmpty { return }
    try lists.add(owners, to: .quarantine, at: now)
    try lists.remove(owners, from: .dirty)
    quarantine.formUnion(owners)
    observer.note("\(owners.count) carts can't be persisted, and are set aside")
  }
}

@available(*, unavailable)
extension Syncer: Sendable {}
