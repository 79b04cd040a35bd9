internal import CProcess

/// What becomes of the quiet connections of a worker that has a request in hand.
///
/// Most requests are over in a fraction of a millisecond, and handing a connection to another worker and taking it back
/// costs more than that. So the connections stay, and are handed over only where a request lasts longer than
/// ``patience``: by the handler of a timer's signal, since the worker itself may be waiting anywhere.
final class HandOver {
  /// So long a request on another connection may wait behind the one in hand.
  static let patience = Duration.milliseconds(2)

  private let park: Park
  private var waiting: [Connection] = []
  private var list: [cprocess_handover] = []

  init(to park: Park) throws(SystemError) {
    self.park = park
    _ = try System.checked("timer_create", cprocess_handover_init())
  }

  deinit { _ = cprocess_handover_disarm() }

  /// From here on `connections` are watched over; they stay the caller's, and open.
  ///
  /// - Returns: those that are too many to be watched over.
  func begin(_ connections: [Connection], since start: Instant) -> ArraySlice<Connection> {
    waiting = Array(connections.prefix(Int(CPROCESS_HANDOVERS)))
    if waiting.isEmpty { return [] }
    list.removeAll(keepingCapacity: true)
    for connection in waiting {
      list.append(cprocess_handover(message: connection.deadline?.nanoseconds ?? 0, descriptor: connection.raw))
    }
    unsafe cprocess_handover_arm(park.sending.raw, list, list.count, (start + Self.patience).nanoseconds)
    return connections.dropFirst(waiting.count)
  }

  /// The request is over.
  ///
  /// - Returns: the connections that are another worker's now.
  func end() -> [Connection] {
    if waiting.isEmpty { return [] }
    let sent = cprocess_handover_disarm()
    defer { waiting.removeAll(keepingCapacity: true) }
    return sent == 0 ? [] : Array(waiting.prefix(sent))
  }
}
