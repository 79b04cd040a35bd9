/// A kind of child that the master keeps alive: the workers, and single ones beside them.
package struct ChildRole: Sendable, Equatable {
  /// How a reload replaces a child.
  package enum Handover: Sendable {
    /// The new one is ready before the old one drains.
    case newFirst
    /// The old one has ended before the new one starts: for a child of which there may be only one.
    case oldFirst
  }

  /// For the log.
  package var name: String
  /// After the program's name: what makes the binary act in this role.
  package var arguments: [String]
  /// How many of them there are. TTIN and TTOU change it where `isScalable`.
  package var count: Int
  package var isScalable: Bool
  package var handover: Handover
  /// At a graceful stop, this role is told only when all others have ended.
  package var stopsLast: Bool
  /// It says when it can serve (`Worker.run` and `Post.announceReady()` do). One that does not counts as ready
  /// as soon as it was spawned.
  package var announcesReady: Bool
  /// A socket of its own on descriptor 0, in place of the pool's.
  package var listen: ListenAddress?
  /// It answers requests. One that does not has nothing to read on descriptor 0, and is no worker of the pool.
  package var serves: Bool

  package init(
    name: String, arguments: [String], count: Int = 1, isScalable: Bool = false, handover: Handover = .newFirst,
    stopsLast: Bool = false, announcesReady: Bool = true, listen: ListenAddress? = nil, serves: Bool = true
  ) {
    self.name = name
    self.arguments = arguments
    self.count = count
    self.isScalable = isScalable
    self.handover = handover
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
