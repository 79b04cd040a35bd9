/// How long connections wait to be accepted. The system does not say when a connection came; but a queue is first in,
/// first out, so from the numbers of accepted and waiting connections at one moment follows, later on, up to which
/// connection all had come by then.
struct QueueAge {
  /// Between two samples of the queue; a connection is known to be too old at most that much later.
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
  mutating func sample(now: Instant, accepted: UInt64, waiting: Int) -> UInt64 {
    samples.append((now, accepted &+ UInt64(clamping: waiting)))
    // The newest that is old enough says all that older ones say.
    while samples.count > 1, samples[1].moment + limit <= now { samples.removeFirst() }
    guard let oldest = samples.first, oldest.moment + limit <= now, oldest.arrived > accepted else { return 0 }
    return oldest.arrived
  }
}
