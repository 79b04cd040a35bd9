/// How long connections wait to be accepted. Nobody tells when a connection came; but a queue is first in, first out, so
/// whoever has counted at some moment those accepted and those that waited knows, later on, up to which one all had come
/// by then.
struct QueueAge {
  /// Between two looks at the queue; connections are known to be too old that much later at most.
  let interval: Duration
  private let limit: Duration
  /// How many connections had come by when, oldest first.
  private var samples: [(moment: Instant, arrived: UInt64)] = []

  init(limit: Duration) {
    self.limit = limit
    interval = min(.milliseconds(500), max(.milliseconds(20), limit / 10))
  }

  /// - Returns: up to which connection, counted from the start, all have waited longer than the limit and are still
  ///   waiting; 0 if none does.
  mutating func look(now: Instant, accepted: UInt64, waiting: Int) -> UInt64 {
    samples.append((now, accepted &+ UInt64(clamping: waiting)))
    // The newest that is old enough says all that older ones say.
    while samples.count > 1, samples[1].moment + limit <= now { samples.removeFirst() }
    guard let oldest = samples.first, oldest.moment + limit <= now, oldest.arrived > accepted else { return 0 }
    return oldest.arrived
  }
}
