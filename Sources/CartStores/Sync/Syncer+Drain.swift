package import CartDomain
import Glibc

extension Syncer {
  /// What ``drain()`` has left undone.
  package struct Remainder: Equatable, Sendable {
    /// PostgreSQL refuses them or a change of theirs, or they can't be read: they are set aside.
    package var refused: [CartOwner] = []
    /// Changes that another syncer has not recorded yet.
    package var changesElsewhere = 0
  }

  /// Works off what was there at its beginning, for a syncer that ends.
  ///
  /// - Parameter seconds: how long it may take; what is left then stays in Redis.
  package func finish(within seconds: Int) throws(StoreError) {
    let deadline = RedisClock.monotonic + Int64(seconds) * 1_000
    try begin()
    try register()
    let (latest, last) = (now, try log.end())
    _ = try persistDirty(before: latest, until: deadline)
    if registry.isReader { try recorder.work(upTo: last, until: deadline) }
  }

  /// Does all that there is to do, and ends: for a host where no syncer runs, and for those who can't wait for it.
  ///
  /// What shoppers do meanwhile may be left for the next time.
  ///
  /// - Throws: ``StoreError`` where a store is away; what was not done is done by whoever comes next.
  package func drain() throws(StoreError) -> Remainder {
    try begin()
    try register()
    // The database may have gone back: then every cart is dirty.
    try heartbeat()
    for task in [PeriodicTask.memory, .marking, .catalogue] { try complete(task) }
    for owner in Array(quarantine.keys) { _ = try retry(owner) }
    var remainder = Remainder()
    try drainChanges(&remainder)
    try complete(.merges)
    _ = try deliverCommands(olderThan: 0, from: nil, until: .max)
    try doDueTasks()
    // A command that was carried out is a change like any other.
    try drainChanges(&remainder)
    for list in [CartLists.List.quarantine, .aside] {
      let owners = try lists.page(list, limit: 10_000).carts.map(\.owner)
      remainder.refused += owners.filter { !remainder.refused.contains($0) }
    }
    try registry.leave()
    return remainder
  }

  /// What is due of the rest, for hosts on which nobody else does it.
  private func doDueTasks() throws(StoreError) {
    let deadline = RedisClock.monotonic + Self.patience
    while RedisClock.monotonic < deadline, let claim = try schedule.claim() { try run(claim) }
  }

  private func complete(_ task: PeriodicTask) throws(StoreError) {
    var place: String?
    repeat { place = try run(task, from: place, until: .max) } while place != nil
  }

  private func drainChanges(_ remainder: inout Remainder) throws(StoreError) {
    let (latest, last) = (now, try log.end())
    remainder.refused += try persistDirty(before: latest, until: .max).filter { !remainder.refused.contains($0) }
    remainder.changesElsewhere = try drainRecord(upTo: last)
    // Whenever they are due.
    try recorder.retryHeld(until: .max, dueBy: now.adding(milliseconds: 1 << 40))
  }

  /// A cart that is dirty after so many rounds does not get clean in this way.
  private static let rounds = 16

  /// - Returns: some of those that did not get clean: somebody holds their rows, or changes them all the time.
  private func persistDirty(before latest: Timestamp, until deadline: Int64) throws(StoreError) -> [CartOwner] {
    var left: [CartOwner] = []
    // One that has got a higher epoch must be persisted once more.
    for _ in 0..<Self.rounds {
      var place: String?
      left = []
      repeat {
        let page = try lists.page(.dirty, after: place, upTo: latest, limit: configuration.batch)
        let owners = page.carts.map(\.owner).filter { quarantine[$0] == nil && registry.share.contains($0) }
        if left.count < Self.named { left += owners }
        try sync(owners, until: deadline)
        if RedisClock.monotonic >= deadline { return left }
        place = page.next
      } while place != nil
      if left.isEmpty { return left }
    }
    return left
  }

  private static let named = 100

  /// How long another syncer that reads the stream is waited for, in milliseconds.
  private static let patience: Int64 = 10_000

  /// - Returns: how many changes another syncer has not recorded yet.
  private func drainRecord(upTo last: LogPosition) throws(StoreError) -> Int {
    let end = RedisClock.monotonic + Self.patience
    while true {
      try registry.renew(now: true)
      if registry.isReader {
        if try recorder.work(upTo: last, until: RedisClock.monotonic + Self.patience / 4) { return 0 }
        if recorder.isResting { throw StoreError(.unavailable, "PostgreSQL: changes can't be recorded") }
        continue
      }
      if try !log.isAnythingLeft(upTo: last) { return 0 }
      if RedisClock.monotonic > end { return try log.length() }
      usleep(20_000)
    }
  }
}
