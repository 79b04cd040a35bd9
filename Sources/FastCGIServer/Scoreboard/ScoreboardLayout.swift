/// Which word of a scoreboard page holds what (word 0 is the page's sequence).
///
/// The master's own page has the same counters as a child's: when a child ends, its counters are added to the master's.
enum ScoreboardLayout {
  // MARK: Gauges

  static let process: Int32 = 1
  static let generation: Int32 = 2
  /// `WorkerState`
  static let state: Int32 = 3
  /// `Stage`
  static let stage: Int32 = 4
  /// Nanoseconds of the monotonic clock; 0: no request in hand.
  static let requestBegan: Int32 = 5
  static let startedAt: Int32 = 6
  /// 1 for a child that accepts from the pool's own socket, else 2.
  static let kind: Int32 = 7
  /// The master's: pages in use, its own not counted.
  static let usedSlots: Int32 = 8
  /// The master's: connections up to this one, counted since the start, have waited too long; 0: none has.
  static let waitedTooLong: Int32 = 9
  /// The master's: how many workers there are to be.
  static let workers: Int32 = 10

  // MARK: Counters

  // Those with a row of their own in the status are the cases of `PoolCounter`: 32 to 38 and 42 to 49.

  /// Of all requests, in nanoseconds, from complete to an answer that can be sent; of them, waiting for Redis and
  /// PostgreSQL.
  static let duration: Int32 = 39
  static let redis: Int32 = 40
  static let postgres: Int32 = 41

  /// One counter for each of `latencyBounds`, and one for what took longer.
  static let latencies: Int32 = 64
  /// Microseconds.
  static let latencyBounds: [UInt64] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    30_000_000,
  ]

  /// For each route five counters, by the first digit of the status.
  static let routes: Int32 = 96
  static let statusClasses: Int32 = 5
  /// Route 0 is that of requests to which the application gave none.
  static let maximumRoutes: Int32 = 64

  /// What the application counts.
  static let application: Int32 = routes + maximumRoutes * statusClasses
  static let applicationCounters: Range<Int32> = application..<(application + Int32(ApplicationMetric.maximumCount))

  /// All words that only grow.
  static let counters: Range<Int32> = 32..<applicationCounters.upperBound

  /// The counters of a child of a kind: only workers count requests.
  static func counters(ofKind kind: UInt64) -> Range<Int32> {
    switch kind {
    case 1: counters
    case 2: applicationCounters
    default: 0..<0
    }
  }

  static func latency(microseconds: UInt64) -> Int32 {
    latencies + Int32(latencyBounds.firstIndex { microseconds <= $0 } ?? latencyBounds.count)
  }

  static func route(_ route: Int, status: Int) -> Int32 {
    let known = (0..<Int(maximumRoutes)).contains(route) ? Int32(route) : 0
    let digit = Int32(clamping: min(max(status / 100, 1), 5))
    return routes + known * statusClasses + digit - 1
  }
}

/// What a child reports of itself.
package enum WorkerState: UInt64, Sendable {
  /// No process writes the page.
  case absent = 0
  case starting, idle, busy, draining, stopped
}

/// What a request in hand waits for.
package enum Stage: UInt64, Sendable, CaseIterable {
  case none = 0
  case reading, application, redis, postgres, writing
}
