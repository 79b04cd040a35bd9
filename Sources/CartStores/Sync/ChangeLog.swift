package import CartDomain

/// The changes of carts in the order in which they were made, until PostgreSQL has recorded them: what is at its head is
/// what has not been recorded. The stream of Redis is the first of them (``ChangeStream``).
///
/// Anybody may read it. Two that record at once do no harm, for each change is recorded once; that it happens in order is
/// up to ``SyncerRegistry``, which has one reader at a time.
///
/// A change is appended in one step with the change itself, by its script; so nothing here appends.
package protocol ChangeLog: AnyObject {
  /// Reads entries behind a position. The same position leads to the same entries, but for those that were removed.
  ///
  /// - Parameters:
  ///   - position: ``LogPosition/start`` for the head of the log.
  ///   - milliseconds: how long to wait for the first entry, 0 for not at all; below a connection's time-out.
  /// - Returns: some entries, the oldest first; none if there is none yet.
  func read(after position: LogPosition, waiting milliseconds: Int) throws(StoreError) -> ChangeBatch

  /// The position of the newest entry; ``LogPosition/start`` if there is none.
  func end() throws(StoreError) -> LogPosition

  /// A position before every change that was made at a moment or later, by Redis's clock.
  func position(before moment: Timestamp) -> LogPosition

  /// How many entries there are.
  func length() throws(StoreError) -> Int

  /// Whether there are entries up to a position.
  func isAnythingLeft(upTo position: LogPosition) throws(StoreError) -> Bool

  /// Trims the log by entries that are recorded: nobody reads them again. Some of them may be removed already.
  func remove(_ ids: [String]) throws(StoreError)

  /// Moves entries of one cart out of the log to ``ChangesAside``, so that they hold up nobody else's.
  ///
  /// - Parameters:
  ///   - next: when they are to be tried again, if others of that cart have not been set aside before.
  ///   - reason: why; `nil` because others of that cart were set aside.
  func setAside(_ ids: [String], of owner: CartOwner, until next: Timestamp, reason: String?) throws(StoreError)

  /// Removes all entries of one cart, which is to be forgotten.
  ///
  /// - Returns: how many there were.
  func remove(_ owner: CartOwner) throws(StoreError) -> Int
}

extension ChangeLog {
  func read(after position: LogPosition) throws(StoreError) -> ChangeBatch { try read(after: position, waiting: 0) }
}

/// A place in a log of changes: right behind the entry with this id, which is one number, or two with `-` between them.
package struct LogPosition: Comparable, Sendable {
  package let id: String

  package init(_ id: String) { self.id = id }

  /// Before every entry.
  package static let start = LogPosition("0-0")

  private var numbers: (UInt64, UInt64) {
    let parts = id.split(separator: "-")
    return (parts.first.flatMap { UInt64($0) } ?? 0, parts.count > 1 ? UInt64(parts[1]) ?? 0 : 0)
  }

  package static func < (one: LogPosition, other: LogPosition) -> Bool { one.numbers < other.numbers }
}

/// What was read from a log of changes.
package struct ChangeBatch: Sendable {
  package var events: [CartEvent] = []
  /// All entries, and whose they are; `nil` if that can't be read.
  package var entries: [(id: String, owner: CartOwner?)] = []
  /// Those of them that can't be read.
  package var unreadable: Set<String> = []
  /// Of all values in it.
  var bytes = 0

  package init() {}
  package var isEmpty: Bool { entries.isEmpty }
  /// The position behind it; `nil` if it is empty.
  package var end: LogPosition? { entries.last.map { LogPosition($0.id) } }
}
