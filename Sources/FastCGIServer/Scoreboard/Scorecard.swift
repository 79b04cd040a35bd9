internal import Glibc

/// A child's hand on its own page.
final class Scorecard {
  let board: Board
  let page: ScorePage

  init(post: Post?) throws(SystemError) {
    if let post { board = try post.inheritedBoard() } else { board = try Board() }
    page = board.ownPage
    let now = System.now()
    page.write { page in
      page.set(Score.process, UInt64(clamping: getpid()))
      page.set(Score.generation, UInt64(clamping: post?.generation ?? 0))
      page.set(Score.state, WorkerState.starting.rawValue)
      page.set(Score.startedAt, UInt64(clamping: now.nanoseconds))
    }
  }

  func enter(_ state: WorkerState) {
    page.write { $0.set(Score.state, state.rawValue) }
  }

  /// Outside of a write: a single counter is right at any time.
  func count(_ word: Int32, _ number: Int = 1) {
    page.add(word, UInt64(clamping: number))
  }

  func enter(_ stage: Stage) {
    page.set(Score.stage, stage.rawValue)
  }

  func beginRequest(at now: Instant, isReused: Bool, received: Int, isDraining: Bool) {
    page.write { page in
      if !isDraining { page.set(Score.state, WorkerState.busy.rawValue) }
      page.set(Score.stage, Stage.reading.rawValue)
      page.set(Score.requestBegan, UInt64(clamping: now.nanoseconds))
      page.add(Score.bytesReceived, UInt64(clamping: received))
      if isReused { page.add(Score.reusedRequests, 1) }
    }
  }

  /// Before the answer is sent: whoever has it finds it counted.
  func count(_ served: ServedRequest) {
    page.write { page in
      page.set(Score.stage, Stage.writing.rawValue)
      page.add(Score.requests, 1)
      page.add(Score.bytesSent, UInt64(clamping: served.bytes))
      page.add(Score.duration, UInt64(clamping: served.total))
      page.add(Score.redis, UInt64(clamping: served.redis))
      page.add(Score.postgres, UInt64(clamping: served.postgres))
      page.add(Score.latency(microseconds: UInt64(clamping: served.total / 1000)), 1)
      page.add(Score.route(served.route, status: served.status), 1)
    }
  }

  func endRequest(isSlow: Bool, isDraining: Bool) {
    page.write { page in
      if !isDraining { page.set(Score.state, WorkerState.idle.rawValue) }
      page.set(Score.stage, Stage.none.rawValue)
      page.set(Score.requestBegan, 0)
      if isSlow { page.add(Score.slow, 1) }
    }
  }
}

/// What there is to say about a request once it is answered. Times in nanoseconds.
struct ServedRequest {
  var status: Int
  /// Of the answer's body.
  var bytes: Int
  var route: Int
  /// From its first byte to its last, where they did not come at once.
  var reading: Int64
  /// From complete to answered.
  var total: Int64
  var redis: Int64
  var postgres: Int64
  var writing: Int64 = 0
  var isSlow = false

  /// What is left for the application itself.
  var application: Int64 { max(0, total &- redis &- postgres &- writing) }
}
