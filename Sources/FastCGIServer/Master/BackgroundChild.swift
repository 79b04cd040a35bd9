internal import Glibc

/// A child of the master that serves no requests: it works beside the workers until it is told to end. Without a master
/// it is a process of its own.
package final class BackgroundChild {
  private let channel: ControlChannel?
  private let signals: Signals
  private let scoreboard: ChildScoreboard
  private var poller: Poller
  private var events: [Poller.Event] = []
  private var isEnding = false
  /// It was told to drain: a successor takes over, and does what is left.
  package private(set) var hasSuccessor = false

  /// - Parameter activity: what it counts is added to what the workers count.
  package init(activity: Activity) throws(SystemError) {
    channel = ControlChannel.inherited()
    signals = try Signals([SIGTERM, SIGQUIT, SIGHUP, SIGINT])
    scoreboard = try ChildScoreboard(channel: channel)
    poller = try Poller()
    try poller.add(signals.descriptor.raw, .reading)
    if let channel { try poller.add(channel.orderDescriptor, .reading) }
    activity.attach(scoreboard, pool: nil, routes: [])
  }

  /// Tells the master that it works now.
  package func announceReady() {
    scoreboard.enter(WorkerState.idle)
    channel?.announceReady()
  }

  /// Waits for an order, `milliseconds` at most; true from the order to end on.
  package func mustEnd(within milliseconds: Int = 0) -> Bool {
    if isEnding { return true }
    do {
      try poller.wait(milliseconds: Int32(clamping: milliseconds), into: &events)
    } catch {
      isEnding = true
    }
    while let signal = signals.next() { isEnding = isEnding || signal != SIGPIPE }
    while !isEnding, let order = channel?.nextOrder() {
      isEnding = order != .reopenLogs
      hasSuccessor = order == .drain
    }
    return isEnding
  }
}

@available(*, unavailable)
extension BackgroundChild: Sendable {}
