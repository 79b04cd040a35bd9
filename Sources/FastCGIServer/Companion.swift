internal import Glibc

/// A child of the master that serves no requests: it works beside the workers until it is told to end. Without a master
/// it is a process of its own.
package final class Companion {
  private let post: Post?
  private let signals: Signals
  private let score: Scorecard
  private var poller: Poller
  private var events: [Poller.Event] = []
  private var isEnding = false

  /// - Parameter activity: what it counts is seen with what the workers count.
  package init(activity: Activity) throws(SystemError) {
    post = Post.inherited()
    signals = try Signals([SIGTERM, SIGQUIT, SIGHUP, SIGINT])
    score = try Scorecard(post: post)
    poller = try Poller()
    try poller.add(signals.descriptor.raw, .reading)
    if let post { try poller.add(post.orders, .reading) }
    activity.attach(score, pool: nil, routes: [])
  }

  /// Tells the master that it works now.
  package func announceReady() {
    score.enter(WorkerState.idle)
    post?.announceReady()
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
    while !isEnding, let order = post?.nextOrder() { isEnding = order != .reopenLogs }
    return isEnding
  }
}

@available(*, unavailable)
extension Companion: Sendable {}
