internal import CProcess
internal import Glibc

/// A pool at one moment, derived from its scoreboard. The numbers come from the children, which may be broken: they are
/// shown, and never used as an address, a size or a count.
package struct PoolStatus {
  package struct Child {
    package var slot: Int
    package var process: Int
    package var generation: Int
    package var state: WorkerState
    package var stage: Stage
    package var requests: UInt64
    package var reusedRequests: UInt64
    package var accepted: UInt64
    package var bytesSent: UInt64
    /// Of the request in hand.
    package var requestMicroseconds: Int?
    package var ageSeconds: Int
    /// Nil if it is not known.
    package var residentBytes: Int?
  }

  /// In the order of their slots.
  package var workers: [Child] = []
  package var generation = 0
  package var process = 0
  package var uptimeSeconds = 0
  /// Connections that wait to be accepted, and how many may; nil if the system does not say.
  package var listenQueue: Int?
  package var listenQueueLimit = 0
  package var routes: [String] = []
  package var applicationMetrics: [ApplicationMetric] = []
  /// The words of a page of the scoreboard: the sum over all workers, also those that have ended.
  var words: [UInt64] = []

  func value(_ word: Int32) -> UInt64 { words.indices.contains(Int(word)) ? words[Int(word)] : 0 }

  func value(_ counter: PoolCounter) -> UInt64 { value(counter.rawValue) }

  package func count(_ state: WorkerState) -> Int { workers.count { $0.state == state } }
}

/// How one process sees the pool.
final class PoolView {
  private let scoreboard: Scoreboard
  /// The listening socket; one that is not 0 belongs to this view.
  private let pool: Int32
  private let routes: [String]
  private let metrics: [ApplicationMetric]

  /// `pool`: the listening socket; nil: it is on descriptor 0.
  init(scoreboard: Scoreboard, pool: consuming Descriptor?, routes: [String], metrics: [ApplicationMetric]) {
    self.metrics = metrics
    self.scoreboard = scoreboard
    if let pool { self.pool = pool.release() } else { self.pool = 0 }
    self.routes = routes
  }

  deinit { if pool > 0 { _ = close(pool) } }

  func status() -> PoolStatus {
    var attempts = 0
    while true {
      let before = scoreboard.master.get(0)
      let status = read()
      attempts += 1
      // Unchanged: no counters moved from a child's page to the master's meanwhile.
      if before == scoreboard.master.get(0) && before & 1 == 0 || attempts == 10 { return status }
    }
  }

  private func read() -> PoolStatus {
    let now = System.now()
    let base = scoreboard.master.copy()
    var status = PoolStatus()
    status.words = base
    status.routes = routes
    status.applicationMetrics = metrics
    status.generation = Int(clamping: base[Int(ScoreboardLayout.generation)])
    status.process = Int(clamping: base[Int(ScoreboardLayout.process)])
    status.uptimeSeconds = Self.seconds(since: base[Int(ScoreboardLayout.startedAt)], now)
    for slot in 0..<scoreboard.usedSlots {
      guard let words = scoreboard.slot(slot)?.copy() else { continue }
      for word in ScoreboardLayout.counters(ofKind: words[Int(ScoreboardLayout.kind)]) {
        status.words[Int(word)] &+= words[Int(word)]
      }
      if words[Int(ScoreboardLayout.kind)] != 1 { continue }
      let state = WorkerState(rawValue: words[Int(ScoreboardLayout.state)]) ?? .absent
      if state != .absent { status.workers.append(Self.child(slot, words, state, now)) }
    }
    var limit: UInt32 = 0
    let queue = unsafe cprocess_listen_queue(pool, &limit)
    status.listenQueue = queue < 0 ? nil : Int(queue)
    status.listenQueueLimit = Int(limit)
    return status
  }

  private static func child(_ slot: Int, _ words: [UInt64], _ state: WorkerState, _ now: Instant) -> PoolStatus.Child {
    let process = Int(clamping: words[Int(ScoreboardLayout.process)])
    let began = words[Int(ScoreboardLayout.requestBegan)]
    return PoolStatus.Child(
      slot: slot, process: process, generation: Int(clamping: words[Int(ScoreboardLayout.generation)]), state: state,
      stage: Stage(rawValue: words[Int(ScoreboardLayout.stage)]) ?? .none,
      requests: words[Int(PoolCounter.requests.rawValue)],
      reusedRequests: words[Int(PoolCounter.reusedRequests.rawValue)],
      accepted: words[Int(PoolCounter.accepted.rawValue)],
      bytesSent: words[Int(PoolCounter.bytesSent.rawValue)],
      requestMicroseconds: began == 0 ? nil : microseconds(since: began, now),
      ageSeconds: seconds(since: words[Int(ScoreboardLayout.startedAt)], now),
      residentBytes: MemoryGauge.resident(of: process))
  }

  private static func microseconds(since moment: UInt64, _ now: Instant) -> Int {
    let now = UInt64(clamping: now.nanoseconds)
    return moment > now ? 0 : Int(clamping: (now - moment) / 1000)
  }

  private static func seconds(since moment: UInt64, _ now: Instant) -> Int {
    moment == 0 ? 0 : microseconds(since: moment, now) / 1_000_000
  }
}
