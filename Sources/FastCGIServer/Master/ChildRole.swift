/// A kind of child that the master keeps running: the workers, and single children beside them.
package struct ChildRole: Sendable, Equatable {
  /// How a reload replaces a child.
  package enum ReplacementOrder: Sendable {
    /// The new one is ready before the old one drains.
    case newFirst
    /// The old one has ended before the new one starts: for a child of which there may be only one.
    case oldFirst
  }

  /// For the log.
  package var name: String
  /// What makes the program act in this role.
  package var arguments: [String]
  /// How many of them there are. TTIN and TTOU change it if `isScalable`.
  package var count: Int
  package var isScalable: Bool
  package var replacement: ReplacementOrder
  /// At a graceful stop, this role is told to stop when all others have ended.
  package var stopsLast: Bool
  /// It announces when it can serve (`Worker.run` and `BackgroundChild.announceReady()` do). A child that does not counts
  /// as ready as soon as it was spawned.
  package var announcesReady: Bool
  /// A socket of its own on descriptor 0, in place of the pool's.
  package var listen: ListenAddress?
  /// It answers requests. A child that does not gets `/dev/null` on descriptor 0, and is no worker of the pool.
  package var serves: Bool

  package init(
    name: String, arguments: [String], count: Int = 1, isScalable: Bool = false,
    replacement: ReplacementOrder = .newFirst,
    stopsLast: Bool = false, announcesReady: Bool = true, listen: ListenAddress? = nil, serves: Bool = true
  ) {
    self.name = name
    self.arguments = arguments
    self.count = count
    self.isScalable = isScalable
    self.replacement = replacement
    self.stopsLast = stopsLast
    self.announcesReady = announcesReady
    self.listen = listen
    self.serves = serves
  }

  /// The workers of a pool.
  package static func workers(_ count: Int, arguments: [String]) -> ChildRole {
    ChildRole(name: "worker", arguments: arguments, count: count, isScalable: true)
  }
}
