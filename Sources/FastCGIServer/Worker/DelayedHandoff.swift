internal import CProcess

/// Hands a worker's other connections over to the queue if its request takes long.
///
/// Most requests are over in a fraction of a millisecond, and handing a connection to another worker and taking it back
/// costs more than that. So the connections stay, and are handed over only if a request takes longer than ``delay``: by
/// the handler of a timer's signal, since the worker itself may be blocked anywhere.
final class DelayedHandoff {
  /// How long a request on another connection may wait behind the one in hand.
  static let delay = Duration.milliseconds(2)

  private let queue: HandoffQueue
  private var watched: [Connection] = []
  private var list: [cprocess_handoff] = []

  init(to queue: HandoffQueue) throws(SystemError) {
    self.queue = queue
    _ = try System.checked("timer_create", cprocess_handoff_init())
  }

  deinit { _ = cprocess_handoff_disarm() }

  /// Arms the timer for `connections`, which stay the caller's, and open.
  ///
  /// - Returns: the connections beyond the number that the timer can hand over.
  func begin(_ connections: [Connection], since start: Instant) -> ArraySlice<Connection> {
    watched = Array(connections.prefix(Int(CPROCESS_HANDOFFS)))
    if watched.isEmpty { return [] }
    list.removeAll(keepingCapacity: true)
    for connection in watched {
      list.append(cprocess_handoff(message: connection.deadline?.nanoseconds ?? 0, descriptor: connection.raw))
    }
    unsafe cprocess_handoff_arm(queue.sending.raw, list, list.count, (start + Self.delay).nanoseconds)
    return connections.dropFirst(watched.count)
  }

  /// The request is over.
  ///
  /// - Returns: the connections that were handed over.
  func end() -> [Connection] {
    if watched.isEmpty { return [] }
    let sent = cprocess_handoff_disarm()
    defer { watched.removeAll(keepingCapacity: true) }
    return sent == 0 ? [] : Array(watched.prefix(sent))
  }
}
