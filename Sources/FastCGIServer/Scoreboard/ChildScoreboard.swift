internal import Glibc

/// What a child writes to its own page of the scoreboard.
final class ChildScoreboard {
  let shared: Scoreboard
  let page: ScoreboardPage

  init(channel: ControlChannel?) throws(SystemError) {
    if let channel { shared = try channel.inheritedScoreboard() } else { shared = try Scoreboard() }
    page = shared.ownPage
    let now = System.now()
    page.write { page in
      page.set(ScoreboardLayout.process, UInt64(clamping: getpid()))
      page.set(ScoreboardLayout.generation, UInt64(clamping: channel?.generation ?? 0))
      page.set(ScoreboardLayout.state, WorkerState.starting.rawValue)
      page.set(ScoreboardLayout.startedAt, UInt64(clamping: now.nanoseconds))
    }
  }

  func enter(_ state: WorkerState) {
    page.write { $0.set(ScoreboardLayout.state, state.rawValue) }
  }

  /// Without `write`: a single counter is right at any time.
  func count(_ counter: PoolCounter) {
    page.add(counter, 1)
  }

  func enter(_ stage: Stage) {
    page.set(ScoreboardLayout.stage, stage.rawValue)
  }

  func beginRequest(at now: Instant, isReused: Bool, received: Int, isDraining: Bool) {
    page.write { page in
      if !isDraining { page.set(ScoreboardLayout.state, WorkerState.busy.rawValue) }
      page.set(ScoreboardLayout.stage, Stage.reading.rawValue)
      page.set(ScoreboardLayout.requestBegan, UInt64(clamping: now.nanoseconds))
      page.add(.bytesReceived, UInt64(clamping: received))
      if isReused { page.add(.reusedRequests, 1) }
    }
  }

  /// Before the answer is sent, so that a client that has it finds it counted.
  func count(_ served: ServedRequest) {
    page.write { page in
      page.set(ScoreboardLayout.stage, Stage.writing.rawValue)
      page.add(.requests, 1)
      page.add(.bytesSent, UInt64(clamping: served.bytes))
      page.add(ScoreboardLayout.duration, UInt64(clamping: served.total))
      page.add(ScoreboardLayout.redis, UInt64(clamping: served.redis))
      page.add(ScoreboardLayout.postgres, UInt64(clamping: served.postgres))
      page.add(ScoreboardLayout.latency(microseconds: UInt64(clamping: served.total / 1000)), 1)
      page.add(ScoreboardLayout.route(served.route, status: served.status), 1)
    }
  }

  func endRequest(isSlow: Bool, isDraining: Bool) {
    page.write { page in
      if !isDraining { page.set(ScoreboardLayout.state, WorkerState.idle.rawValue) }
      page.set(ScoreboardLayout.stage, Stage.none.rawValue)
      page.set(ScoreboardLayout.requestBegan, 0)
      if isSlow { page.add(.slow, 1) }
    }
  }
}

/// What is known of a request once it is answered. Times in nanoseconds.
struct ServedRequest {
  var status: Int
  /// Of the answer's body.
  var bytes: Int
  var route: Int
  /// From its first byte to its last, if they did not come at once.
  var reading: Int64
  /// From complete to answered.
  var total: Int64
  var redis: Int64
  var postgres: Int64
  var writing: Int64 = 0
  var isSlow = false

  /// The rest: the application's own time.
  var application: Int64 { max(0, total &- redis &- postgres &- writing) }
}
