/// When a worker accepts connections, takes them over and hands them off, as a state machine without I/O: events go in,
/// actions come out.
///
/// A worker must never keep what another one could serve. So each turn (one wait in epoll) serves one request at most,
/// and before it all else that was reported is left to other workers.
struct ConnectionHandoff {
  enum Event: Equatable {
    /// epoll has reported: a new connection, one in the hand-off queue, or neither.
    case woken(newConnection: Bool, queuedConnection: Bool)
    /// `takeQueued` or `accept` is done, with a connection or without.
    case taken
    /// `accept` failed for want of descriptors or memory, or the worker holds as many connections as it may.
    case exhausted(Instant)
    /// A request is complete and is about to be served.
    case requestBegan
    /// All that was reported has been handled.
    case turnEnded(Instant, isListenQueueEmpty: Bool)
    /// `listen` succeeded.
    case listening
    case stoppedListening(Instant)
    /// `handOffIdle` or `closeIdle` is done: so many connections are left.
    case connectionsLeft(Int)
    /// A signal to end.
    case terminate
    case order(ControlChannel.Order)
    /// A signal to end after the request in hand.
    case interrupt
  }

  enum Action: Equatable {
    /// Take one connection from the queue and read it: each further one has woken another worker.
    case takeQueued
    /// Accept one connection and read it.
    case accept
    /// Read the connections that were reported, until a request has been served.
    case receive
    /// Leave the other connections to other workers: those with something to read at once, idle ones if the request
    /// takes long. `newConnection`: accept one and leave it too, as no other worker was woken for it.
    case handOff(newConnection: Bool)
    /// Watch the listening socket and the queue; nothing follows if that fails.
    case listen
    /// Watch neither. `handsOff`: put what waits there into the queue, as this worker may be the only one that was woken.
    case stopListening(handsOff: Bool)
    /// Hand off the connections that are between two requests.
    case handOffIdle
    /// Take over what is in the queue, and close the idle connections; `includingNew`: also those that wait for a first
    /// request.
    case closeIdle(includingNew: Bool)
    /// Tell the scoreboard.
    case enter(WorkerState)
  }

  enum Mode: Equatable {
    /// `draining` by that order, or by `terminate` if there are other workers; `stopping` by that order, or by
    /// `terminate` if there are none.
    case serving
    /// Other workers go on: what can be handed off is. `ended` when no connection is left; `stopping` by that order.
    case draining
    /// The pool ends: all that has come is finished here, from the end of the first turn on. `ended` when no connection
    /// is left.
    case stopping(since: Instant?)
    /// From everywhere by `interrupt`. Nothing follows.
    case ended
  }

  enum Intake: Equatable {
    /// `paused` when `exhausted`; `closed` at the end of a turn that found the worker draining, or stopping with an empty
    /// listen queue.
    case listening
    /// `listening` after that moment; `closed` at the end of a turn that is not `serving`.
    case paused(until: Instant)
    case closed
  }

  /// One after the other; each step is left out if there is nothing to do.
  enum Turn: Equatable {
    /// `newConnection`: a new connection waits meanwhile.
    case takingQueued(newConnection: Bool)
    case accepting
    case receiving
    /// From each of them by `requestBegan`: what else was reported waits for the next turn.
    case served
    case over
  }

  /// Between an accept that failed and the next.
  static let pause = Duration.milliseconds(100)
  /// When stopping: how long a connection may stay without a request. A web server that has connected sends one at once.
  static let firstByteTimeout = Duration.milliseconds(200)
  /// When stopping: after that, new connections that keep coming no longer keep the worker from ending.
  static let maximumListening = Duration.seconds(1)

  /// There are other workers to hand connections to.
  let hasQueue: Bool
  private(set) var mode = Mode.serving
  private(set) var intake = Intake.listening
  private(set) var turn = Turn.over

  init(hasQueue: Bool) { self.hasQueue = hasQueue }

  var isServing: Bool { mode == .serving }

  /// Nothing to do at the end of a turn.
  var isSteady: Bool { mode == .serving && intake == .listening }

  /// A connection may stay after its request, if the listen queue is empty. Without a queue, or while not listening, it
  /// might wait behind another's request.
  var mayKeepConnections: Bool { isSteady && hasQueue }

  /// When `turnEnded` must be sent next, if nothing else happens.
  var nextDeadline: Instant? { if case .paused(let until) = intake { until } else { nil } }

  mutating func handle(_ event: Event) -> Action? {
    switch event {
    case .woken(let newConnection, let queuedConnection):
      return begin(newConnection, queuedConnection)
    case .taken:
      if turn == .takingQueued(newConnection: true) { return accept() }
      return turn == .accepting || turn == .takingQueued(newConnection: false) ? receive() : nil
    case .exhausted(let now):
      intake = .paused(until: now + Self.pause)
      if case .stopping = mode { return .stopListening(handsOff: false) }
      return .stopListening(handsOff: true)
    case .requestBegan:
      defer { turn = .served }
      return isServing ? .handOff(newConnection: turn == .takingQueued(newConnection: true)) : nil
    case .turnEnded(let now, let isListenQueueEmpty):
      turn = .over
      return endTurn(now, isListenQueueEmpty)
    case .listening:
      intake = .listening
      return nil
    case .stoppedListening(let now):
      return turn == .accepting ? receive() : finish(now)
    case .connectionsLeft(let count):
      return count == 0 && !isServing ? enter(.ended) : nil
    case .terminate:
      return isServing ? enter(hasQueue ? .draining : .stopping(since: nil)) : nil
    case .order(.drain):
      return isServing ? enter(.draining) : nil
    case .order(.stop):
      if case .stopping = mode { return nil }
      return enter(.stopping(since: nil))
    case .order(.reopenLogs):
      return nil
    case .interrupt:
      return enter(.ended)
    }
  }

  private mutating func enter(_ next: Mode) -> Action? {
    if mode == .ended { return nil }
    mode = next
    return .enter(next == .ended ? .stopped : .draining)
  }

  // MARK: A turn

  private mutating func begin(_ newConnection: Bool, _ queuedConnection: Bool) -> Action? {
    if mode == .ended { return nil }
    if intake != .listening { return receive() }
    if queuedConnection {
      turn = .takingQueued(newConnection: newConnection)
      return .takeQueued
    }
    return newConnection ? accept() : receive()
  }

  private mutating func accept() -> Action {
    turn = .accepting
    return .accept
  }

  private mutating func receive() -> Action {
    turn = .receiving
    return .receive
  }

  // MARK: Between two turns

  private mutating func endTurn(_ now: Instant, _ isListenQueueEmpty: Bool) -> Action? {
    switch mode {
    case .serving:
      guard case .paused(let until) = intake, until <= now else { return nil }
      return .listen
    case .draining:
      return close(handsOff: true) ?? finish(now)
    case .stopping(let since):
      let since = since ?? now
      mode = .stopping(since: since)
      if intake == .listening, !isListenQueueEmpty, now < since + Self.maximumListening { return nil }
      return close(handsOff: false) ?? finish(now)
    case .ended:
      return nil
    }
  }

  private mutating func close(handsOff: Bool) -> Action? {
    defer { intake = .closed }
    return intake == .listening ? .stopListening(handsOff: handsOff) : nil
  }

  private func finish(_ now: Instant) -> Action? {
    switch mode {
    case .serving, .ended: nil
    case .draining: .handOffIdle
    case .stopping(let since): .closeIdle(includingNew: since.map { now >= $0 + Self.firstByteTimeout } ?? false)
    }
  }
}
