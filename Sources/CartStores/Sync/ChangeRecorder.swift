import CartDomain

/// Takes changes from their log into PostgreSQL's record, in the order in which they were made.
///
/// A change that PostgreSQL refuses is set aside with all later ones of its cart, and tried again later; the others go on.
/// Carts themselves don't wait for their record.
final class ChangeRecorder {
  /// What goes into one statement at most.
  private static let maximumEvents = 500
  private static let maximumTouches = 5_000
  /// Lines of changes that are kept in memory beside the ones that are recorded now.
  private static let maximumPending = 50_000

  private let log: any ChangeLog
  private let aside: ChangesAside
  private let archive: PostgresCarts
  private let lists: CartLists
  /// Changes at the head of the stream, that are not recorded yet.
  private var pending: ArraySlice<CartEvent> = []
  private var pendingTouches = 0
  /// When the first of them was read, by the monotonic clock.
  private var pendingSince: Int64 = 0
  /// What was read longer ago than this is read again, in milliseconds: it may have been removed from the stream because
  /// a cart is to be forgotten.
  static let longestPending: Int64 = 2_000
  /// The entry up to which changes were taken into ``pending``; `nil` if that is not known.
  private var end: LogPosition?
  /// Carts of which changes were set aside, and after how many milliseconds they are tried again.
  private var heldBack: [CartOwner: Int64] = [:]
  private var knowsHeld = false
  /// The record could not be written lately: when it is tried again, by the monotonic clock.
  private var restsUntil: Int64 = 0
  private var pause: Int64 = 0
  /// Something for the log.
  var note: (String) -> Void = { _ in }
  /// Told how many changes were recorded.
  var didRecord: (Int) -> Void = { _ in }

  init(_ log: any ChangeLog, aside: ChangesAside, archive: PostgresCarts, lists: CartLists) {
    self.log = log
    self.aside = aside
    self.archive = archive
    self.lists = lists
  }

  /// Forgets what it has read: another syncer reads the stream now.
  func reset() {
    forgetPending()
    knowsHeld = false
  }

  private func forgetPending() {
    pending = []
    pendingTouches = 0
    end = nil
  }

  /// Takes in what was read behind the entry `former`, if nothing before it is missing. Otherwise it is read anew.
  func offer(_ batch: ChangeBatch, readAfter former: LogPosition) {
    guard end == former, batch.unreadable.isEmpty, pendingTouches < Self.maximumPending, let last = batch.end else {
      return
    }
    append(batch, upTo: last)
  }

  private func append(_ batch: ChangeBatch, upTo last: LogPosition) {
    if pending.isEmpty { pendingSince = RedisClock.monotonic }
    pending += batch.events
    pendingTouches += batch.events.reduce(0) { $0 + $1.touches }
    end = last
  }

  /// Records what there is until `deadline`, by the monotonic clock.
  ///
  /// - Parameter last: the last entry that is known of.
  /// - Returns: whether all up to it is recorded or set aside.
  /// - Throws: ``StoreError`` where a store is away. A record that can't be written is left alone for a while.
  @discardableResult
  func work(upTo last: LogPosition, until deadline: Int64) throws(StoreError) -> Bool {
    if isResting { return false }
    if !knowsHeld { try learnHeld() }
    repeat {
      if !pending.isEmpty, RedisClock.monotonic - pendingSince > Self.longestPending { forgetPending() }
      if pending.isEmpty {
        if let end, end >= last { return true }
        // What was recorded is not in the stream any more.
        let batch = try log.read(after: .start)
        guard let end = batch.end else {
          self.end = last
          return true
        }
        append(try withoutUnreadable(batch), upTo: end)
        if pending.isEmpty { continue }
      }
      let chunk = nextChunk()
      do throws(StoreError) {
        try recordOrSetAside(chunk)
        pause = 0
      } catch {
        forgetPending()
        guard error.wasReached else { throw error }
        pause = min(max(250, pause * 2), 10_000)
        restsUntil = RedisClock.monotonic + pause
        note("changes can't be recorded, again in \(pause) ms: \(error.message)")
        return false
      }
      pending = pending.dropFirst(chunk.count)
      pendingTouches -= chunk.reduce(0) { $0 + $1.touches }
    } while RedisClock.monotonic < deadline
    return pending.isEmpty && end.map { $0 >= last } == true
  }

  private func nextChunk() -> ArraySlice<CartEvent> {
    var touches = 0
    var index = pending.startIndex
    while index < pending.endIndex, index - pending.startIndex < Self.maximumEvents {
      touches += pending[index].touches
      if touches > Self.maximumTouches, index > pending.startIndex { break }
      index += 1
    }
    return pending[..<index]
  }

  // MARK: Recording

  private func recordOrSetAside(_ events: ArraySlice<CartEvent>) throws(StoreError) {
    if heldBack.isEmpty { return try record(events) }
    for (owner, waiting) in Dictionary(grouping: events, by: \.owner) where heldBack[owner] != nil {
      try log.setAside(
        waiting.map(\.id), of: owner, until: lists.connection.now.adding(milliseconds: Self.firstPause), reason: nil)
    }
    try record(events.filter { heldBack[$0.owner] == nil }[...])
  }

  /// Records changes and removes them from the stream; in halves, where all at once can't be recorded.
  private func record(_ events: ArraySlice<CartEvent>) throws(StoreError) {
    if events.isEmpty { return }
    do throws(StoreError) {
      try archive.record(Array(events))
    } catch {
      guard error.code == .corrupt || error.wasReached else { throw error }
      guard events.count == 1, let event = events.first else {
        let middle = events.startIndex + events.count / 2
        try recordOrSetAside(events[..<middle])
        return try recordOrSetAside(events[middle...])
      }
      return try retry(event, error)
    }
    try log.remove(events.map(\.id))
    didRecord(events.count)
  }

  /// One change could not be recorded: is that because of this one?
  private func retry(_ event: CartEvent, _ error: StoreError) throws(StoreError) {
    if error.code != .corrupt {
      try archive.tryToRecord(at: event.at)
      do throws(StoreError) {
        try archive.record([event])
        didRecord(1)
        return try log.remove([event.id])
      } catch {
        guard error.code == .corrupt || error.wasReached else { throw error }
      }
    }
    try holdBack(event.owner, [event.id], because: error.message)
  }

  // MARK: Set aside

  /// A change is tried again after so long, and then after twice as long each time, in milliseconds.
  private static let firstPause: Int64 = 5_000
  private static let longestPause: Int64 = 600_000

  private func holdBack(_ owner: CartOwner, _ ids: [String], because reason: String) throws(StoreError) {
    heldBack[owner] = Self.firstPause
    let next = lists.connection.now.adding(milliseconds: Self.firstPause)
    try log.setAside(ids, of: owner, until: next, reason: reason)
    note("changes of one cart can't be recorded, and are set aside: \(reason)")
  }

  /// Sets aside the changes of carts of which one can't be read, all of them in their order.
  private func withoutUnreadable(_ batch: ChangeBatch) throws(StoreError) -> ChangeBatch {
    if batch.unreadable.isEmpty { return batch }
    let bad = batch.entries.filter { batch.unreadable.contains($0.id) }
    let strays = bad.filter { $0.owner == nil }.map(\.id)
    if !strays.isEmpty {
      try log.remove(strays)
      note("\(strays.count) changes that can't be read, of nobody knows whom, are dropped")
    }
    let owners = Set(bad.compactMap(\.owner))
    for owner in owners {
      let ids = batch.entries.filter { $0.owner == owner }.map(\.id)
      try holdBack(owner, ids, because: "Redis: a change that can't be read")
    }
    var readable = batch
    readable.events.removeAll { owners.contains($0.owner) }
    return readable
  }

  private func learnHeld() throws(StoreError) {
    heldBack = [:]
    var place: String?
    repeat {
      let page = try lists.page(.aside, after: place, limit: 1_000)
      for entry in page.carts { heldBack[entry.owner] = Self.firstPause }
      place = page.next
    } while place != nil
    knowsHeld = true
  }

  /// Whether the record could not be written lately, and is left alone for a while.
  var isResting: Bool { RedisClock.monotonic < restsUntil }

  /// Tries those again that were set aside, whose time has come.
  ///
  /// - Parameter latest: the time that counts as now; `nil` for the present one.
  func retryHeld(until deadline: Int64, dueBy latest: Timestamp? = nil) throws(StoreError) {
    if !knowsHeld || heldBack.isEmpty { return }
    let due = try lists.page(.aside, upTo: latest ?? lists.connection.now, limit: 20).carts
    for (owner, _) in due where RedisClock.monotonic < deadline {
      var isThrough: Bool? = false
      do throws(StoreError) {
        isThrough = try retryHeld(owner, until: deadline)
      } catch {
        // What is wrong with the changes of one cart must not keep the others from being tried.
        guard error.code == .corrupt || error.wasReached else { throw error }
        note("changes of one cart that were set aside can't be tried: \(error.message)")
      }
      if isThrough == nil { return }
      if isThrough == true {
        heldBack[owner] = nil
        try aside.clear(owner)
        continue
      }
      let pause = heldBack[owner] ?? Self.firstPause
      heldBack[owner] = min(pause * 2, Self.longestPause)
      try lists.move(owner, on: .aside, to: lists.connection.now.adding(milliseconds: pause))
    }
  }

  /// - Returns: whether all of it is recorded now; `nil` if the time is over before that is known.
  private func retryHeld(_ owner: CartOwner, until deadline: Int64) throws(StoreError) -> Bool? {
    while true {
      let batch = try aside.read(owner)
      if batch.isEmpty { return true }
      let events = Dictionary(uniqueKeysWithValues: batch.events.map { ($0.id, $0) })
      for entry in batch.entries {
        guard let event = events[entry.id] else { return false }
        do throws(StoreError) {
          try archive.record([event])
        } catch {
          guard error.code == .corrupt || error.wasReached else { throw error }
          return false
        }
        try aside.remove([event.id], of: owner)
        didRecord(1)
        if RedisClock.monotonic > deadline { return nil }
      }
    }
  }
}

@available(*, unavailable)
extension ChangeRecorder: Sendable {}
