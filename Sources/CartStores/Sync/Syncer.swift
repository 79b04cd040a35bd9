package import CartDomain

/// Keeps PostgreSQL behind Redis by less than a second, and both in order.
///
/// Each turn persists the carts of which the log of changes tells, then records the changes, then looks for dirty carts of which
/// the log has not told, and does a part of one periodic task. None of these takes longer than its budget, and what
/// fails in one of them does not keep the others from going on. Each step may be done twice or by two syncers at once; one
/// that dies leaves nothing that the next one does not find.
package final class Syncer {
  package struct Configuration: Sendable {
    /// So many carts go into one transaction at most.
    package var batch = 200
    /// A user's cart that was not used for so many days leaves Redis; 0: never.
    package var idleDays = 90
    /// The record of changes is kept for so many months beside the current one; 0: for ever.
    package var monthsKept = 0
    /// The keys of orders are kept for so many days; 0: for ever.
    package var orderKeysDays = 400

    package init() {}

    /// Reads ``SettingKey/idleDays``, ``SettingKey/changesMonths`` and ``SettingKey/orderKeysDays``.
    package init(_ settings: Settings) throws(SettingsError) {
      idleDays = try settings.integer(.idleDays, in: 0...100_000)
      monthsKept = try settings.integer(.changesMonths, in: 0...1_200)
      orderKeysDays = try settings.integer(.orderKeysDays, in: 0...100_000)
    }
  }

  /// What it tells of its work.
  package struct Observer {
    /// Milliseconds between a change in Redis and the commit of its cart in PostgreSQL.
    package var lag: (Int64) -> Void = { _ in }
    /// Milliseconds that a turn has taken, without waiting for changes.
    package var turn: (Int64) -> Void = { _ in }
    /// How many changes were recorded.
    package var recorded: (Int) -> Void = { _ in }
    package var report: (CartPersister.Report) -> Void = { _ in }
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
  let persister: CartPersister
  let log: any ChangeLog
  let recorder: ChangeRecorder
  let registry: SyncerRegistry
  let schedule: TaskSchedule
  let lists: CartLists
  let catalogue: RedisCatalogue
  let merger: CartMerger
  let stock: StockKeeper
  /// Carts that PostgreSQL refuses, and after how many milliseconds each is tried again.
  var quarantine: [CartOwner: Int64] = [:]
  private var history: RedisHistory?
  /// The entry of the log up to which carts were looked at; `nil` before the first one.
  var seen: LogPosition?
  /// Where the walk over the dirty carts goes on.
  private var dirtyPlace: String?
  private var nextDirtyWalk: Int64 = 0
  private var nextHeartbeat: Int64 = 0
  private var nextRetry: Int64 = 0
  /// Whether the record has no backlog, or none that can be worked off now.
  private var isRecorded = true
  private var lastNote: (text: String, at: Int64)?

  /// - Parameters:
  ///   - name: unique among all syncers of this Redis.
  ///   - stores: of a command, which only looks, it takes no part of the carts from the syncers.
  ///   - log: where changes come from; `nil`: the one of `stores`.
  package init(
    _ stores: StoreGraph, name: String, configuration: Configuration = Configuration(), log: (any ChangeLog)? = nil
  ) {
    self.configuration = configuration
    connection = stores.redis
    archive = stores.archive
    carts = stores.carts
    restorer = stores.restorer
    persister = stores.persister
    merger = stores.merger
    catalogue = stores.catalogue
    self.log = log ?? stores.log
    lists = CartLists(connection)
    recorder = ChangeRecorder(self.log, aside: ChangesAside(connection), archive: archive, lists: lists)
    registry = SyncerRegistry(connection, name: name, isMember: stores.histories.mode == .serving)
    schedule = TaskSchedule(connection)
    stock = StockKeeper(PostgresCatalogue(stores.postgres), catalogue: catalogue)
    recorder.note = { [unowned self] in observer.note($0) }
    recorder.didRecord = { [unowned self] in observer.recorded($0) }
  }

  // MARK: A turn

  /// What the steps of a turn may take, in milliseconds. A step ends with the batch in which its time is over.
  private static let cartsBudget: Int64 = 150
  private static let recordBudget: Int64 = 100
  private static let dirtyBudget: Int64 = 100
  /// The longest that ``turn()`` waits for a change: below the time-out of a connection.
  private static let longestWait = 250
  /// A dirty cart of which the stream has told is persisted within this time.
  private static let dirtyAge: Int64 = 400

  /// A syncer that begins reads changes that were made so many milliseconds ago; what is older is on the list of dirty
  /// carts.
  private static let longestAbsence: Int64 = 10_000

  /// Does what there is to do, waiting a moment for it.
  ///
  /// - Throws: ``StoreError`` where a store is away; what was not done is done by a later turn.
  package func turn() throws(StoreError) {
    try begin()
    let former = seen ?? .start
    let isIdle = dirtyPlace == nil && isRecorded && schedule.nextLook > RedisClock.monotonic
    let batch = try log.read(after: former, waiting: isIdle ? Self.longestWait : 0)
    let started = RedisClock.monotonic
    var failure: StoreError?
    // What fails in one step does not keep the others from going on. While one of the stores is away all of them fail.
    func attempt(_ step: () throws(StoreError) -> Void) {
      do throws(StoreError) {
        try step()
      } catch {
        if error.code == .corrupt || error.wasReached { note(error.message) } else { failure = failure ?? error }
      }
    }
    // A Redis that takes no writes for want of replicas can be read all the same, and what it has acknowledged may be all
    // that is left of it soon.
    attempt { () throws(StoreError) in try register() }
    attempt { () throws(StoreError) in try persistCarts(of: batch, until: started + Self.cartsBudget) }
    seen = batch.end ?? former
    if registry.isReader { recorder.offer(batch, readAfter: former) }
    attempt { () throws(StoreError) in try record() }
    attempt { () throws(StoreError) in try walkDirty() }
    attempt { () throws(StoreError) in try beatHeart() }
    attempt { () throws(StoreError) in try lookAtRefused() }
    attempt { () throws(StoreError) in try doTask() }
    observer.turn(RedisClock.monotonic - started)
    if let failure { throw failure }
  }

  /// Tells the log of something, but not again and again.
  private func note(_ text: String) {
    if text == lastNote?.text, RedisClock.monotonic - (lastNote?.at ?? 0) < 10_000 { return }
    lastNote = (text, RedisClock.monotonic)
    observer.note(text)
  }

  /// Looks in which history Redis is.
  func begin() throws(StoreError) {
    try carts.histories.check()
    let history = try carts.histories.current()
    if history != self.history {
      recorder.reset()
      // They have gathered while no syncer ran.
      if self.history == nil { try schedule.reschedule(.revisions, after: 0) }
      // What came while no syncer was there must not wait behind all that is on the list of dirty carts.
      seen = log.position(before: now.adding(milliseconds: -Self.longestAbsence))
      dirtyPlace = nil
      try learnQuarantine()
      self.history = history
    }
  }

  /// Says that this syncer lives, and learns which part of the carts is its own.
  func register() throws(StoreError) {
    let term = registry.term
    try registry.renew()
    if term != registry.term { recorder.reset() }
  }

  private func persistCarts(of batch: ChangeBatch, until deadline: Int64) throws(StoreError) {
    if batch.isEmpty { return }
    var owners: [CartOwner] = []
    var met: Set<CartOwner> = []
    for event in batch.events where met.insert(event.owner).inserted { owners.append(event.owner) }
    for entry in batch.entries where batch.unreadable.contains(entry.id) {
      if let owner = entry.owner, met.insert(owner).inserted { owners.append(owner) }
    }
    let persisted = try sync(owners, until: deadline)
    let now = now.milliseconds
    for event in batch.events where persisted.contains(event.owner) {
      observer.lag(max(0, now - event.at.milliseconds))
    }
  }

  private func record() throws(StoreError) {
    guard registry.isReader, let seen else { return }
    let deadline = RedisClock.monotonic + Self.recordBudget
    isRecorded = try recorder.work(upTo: seen, until: deadline) || recorder.isResting
    try recorder.retryHeld(until: deadline)
  }

  /// Persists carts of which the stream has not told, or that were left over.
  private func walkDirty() throws(StoreError) {
    if dirtyPlace == nil, RedisClock.monotonic < nextDirtyWalk { return }
    let deadline = RedisClock.monotonic + Self.dirtyBudget
    let latest = now.adding(milliseconds: -Self.dirtyAge)
    repeat {
      let page = try lists.page(.dirty, after: dirtyPlace, upTo: latest, limit: configuration.batch)
      // What fails at one page must not keep the walk from the next.
      dirtyPlace = page.next
      nextDirtyWalk = RedisClock.monotonic + Self.dirtyAge
      _ = try sync(page.carts.map(\.owner), until: deadline)
    } while dirtyPlace != nil && RedisClock.monotonic < deadline
  }

  /// Finds that the database has gone back also if nothing is persisted.
  private func beatHeart() throws(StoreError) {
    if RedisClock.monotonic < nextHeartbeat { return }
    try heartbeat()
  }

  func heartbeat() throws(StoreError) {
    nextHeartbeat = RedisClock.monotonic + 2_000
    try persist([])
  }

  private func lookAtRefused() throws(StoreError) {
    if RedisClock.monotonic < nextRetry { return }
    nextRetry = RedisClock.monotonic + 1_000
    try learnQuarantine()
    try retryRefused(until: RedisClock.monotonic + Self.dirtyBudget)
  }

  private func doTask() throws(StoreError) {
    if let claim = try schedule.claim() { try run(claim) }
  }

  /// Does a part of a task that was handed out, and says when it is due again.
  func run(_ claim: TaskSchedule.Claim) throws(StoreError) {
    let task = claim.task
    do throws(StoreError) {
      let next = try run(task, from: claim.place, until: RedisClock.monotonic + PeriodicTask.budget)
      try schedule.reschedule(task, after: next == nil ? task.interval : task.pauseBetweenSteps, place: next)
    } catch {
      let failures = claim.failures + 1
      let pause = min(PeriodicTask.longestPause, PeriodicTask.firstPause << min(Int64(failures) - 1, 20))
      // What it fails at may be what stands at its place: after some failures it begins anew.
      try schedule.reschedule(task, after: pause, failures: failures, place: failures < 3 ? claim.place : nil)
      guard error.code == .corrupt || error.wasReached else { throw error }
      observer.note("\(task.rawValue) has failed, again in \(pause / 1_000) s: \(error.message)")
    }
  }

  /// Takes syncers off the list of which the caller knows that they are dead; see ``SyncerRegistry``.
  package func remove(those isDead: (String) -> Bool) throws(StoreError) {
    _ = try carts.histories.current()
    try registry.remove(those: isDead)
  }

  /// Takes this syncer off the list of those that live.
  package func leave() throws(StoreError) { try registry.leave() }

  /// Marks that nothing is changed from here on, if no other syncer lives; see ``RedisHistories/close(draining:)``.
  package func close() throws(StoreError) {
    if try SyncState(of: connection).living.isEmpty { try carts.histories.close() }
  }

  var now: Timestamp { connection.now }
}

@available(*, unavailable)
extension Syncer: Sendable {}
