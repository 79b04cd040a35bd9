internal import Glibc
internal import Logging

/// A worker at work: one thread, one epoll, one request at a time.
///
/// An incomplete request waits in epoll like an idle connection does, so that a slow peer occupies nobody. The rules of
/// keep-alive that hold here:
/// 1. The listening socket and the park wake one worker each time, not all.
/// 2. No other connection on which nothing has been read waits behind a request: one that has something to read goes to
///    the park before the request is served, an idle one where the request lasts (``HandOver``).
/// 3. A connection is kept only if the web server asked for it and nobody waits in the listen queue; else a record after
///    END_REQUEST keeps the web server from using it again.
/// 4. An idle connection is closed by the web server alone. A worker that ends parks those it holds.
final class WorkerLoop {
  enum Mode {
    case serving
    /// Others go on: what can be handed over is.
    case draining
    /// Nobody goes on: all that has come is finished here.
    case stopping
    case ended
  }

  let configuration: Worker.Configuration
  let logger: Logger
  let respond: (Request) -> Response

  let listener: Int32 = 0
  var poller: Poller
  let signals: Signals
  let library: FastCGILibrary
  let post: Post?
  let park: Park?
  let handOver: HandOver?
  /// Those of the connections that epoll has told of and that have not been read since.
  var readable: Set<Int32> = []
  let score: Scorecard
  let overdue: OverdueAnswer
  let accessLog: AccessLog?
  let memory = MemoryGauge()

  var mode = Mode.serving {
    didSet {
      if mode != oldValue { score.enter(mode == .ended ? WorkerState.stopped : .draining) }
    }
  }
  var isListening = false
  /// epoll told of a new connection that has not been accepted yet.
  var owesAccept = false
  /// Accepting failed for want of descriptors or memory: not again before.
  var listensAgainAt: Instant?
  var connections: [Int32: Connection] = [:]
  var scratch = [UInt8](repeating: 0, count: 64 * 1024)
  var records = RecordWriter()
  var served = 0
  var hasSaidTired = false
  let quota: Int?
  var stoppingSince: Instant?

  init(
    configuration: Worker.Configuration, logger: Logger, post: Post?, respond: @escaping (Request) -> Response
  ) throws(SystemError) {
    self.configuration = configuration
    self.logger = logger
    self.respond = respond
    self.post = post
    park = post?.inheritedPark()
    if let park { handOver = try HandOver(to: park) } else { handOver = nil }
    quota = configuration.maximumRequests.map { max(1, $0 - Int.random(in: 0...($0 / 5))) }
    try ListeningSocket.adopt(descriptor: listener)
    signals = try Signals([SIGTERM, SIGQUIT, SIGHUP, SIGINT, SIGUSR1])
    library = try FastCGILibrary()
    score = try Scorecard(post: post)
    overdue = try OverdueAnswer(
      deadline: configuration.limits.requestDeadline, wording: configuration.wordOverdue, on: score.page)
    accessLog = configuration.accessLog.map { AccessLog(path: $0) }
    configuration.activity.attach(
      score, pool: post?.inheritedPool(), routes: configuration.routes)
    if let post { configuration.limit.attach(score.board, slot: post.slot) }
    poller = try Poller()
    try poller.add(signals.descriptor.raw, .reading)
    if let post { try poller.add(post.orders, .reading) }
  }

  func run() throws(SystemError) {
    // Carts are worth more than lines about them.
    if accessLog?.isOpen == false { logger.error("the access log cannot be opened: its lines are dropped") }
    try listen()
    post?.announceReady()
    score.enter(WorkerState.idle)
    var events: [Poller.Event] = []
    while mode != .ended {
      try poller.wait(milliseconds: timeout(), into: &events)
      try handle(events)
      expire()
      try finishIfPossible()
    }
  }

  // MARK: - Events

  /// Orders come before connections, new connections before those held: a worker that was woken for the listening
  /// socket or the park and did not take from it would leave others asleep.
  private func handle(_ events: [Poller.Event]) throws(SystemError) {
    for event in events {
      if event.descriptor == signals.descriptor.raw { takeSignals() }
      if event.descriptor == post?.orders { takeOrders() }
    }
    guard mode != .ended else { return }
    readable.removeAll(keepingCapacity: true)
    if events.count > 1 { for event in events { readable.insert(event.descriptor) } }
    owesAccept = isListening && events.contains { $0.descriptor == listener }
    var hasServed = false
    if let park, isListening, events.contains(where: { $0.descriptor == park.receiving.raw }) {
      hasServed = takeParked()
    }
    if owesAccept, isListening, !hasServed { hasServed = accept() }
    owesAccept = false
    for event in events where !hasServed {
      // One served request is enough for one look: the others may be in the park by now.
      guard let connection = connections[event.descriptor] else { continue }
      hasServed = connection.state == .writing ? flush(connection) : receive(connection)
    }
  }

  private func takeSignals() {
    while let signal = signals.next() {
      switch signal {
      case SIGUSR1: reopenLogs()
      case SIGINT: mode = .ended
      default: if mode == .serving { mode = post == nil ? .stopping : .draining }
      }
    }
  }

  private func takeOrders() {
    while let post, let order = post.nextOrder() {
      switch order {
      case .reopenLogs:
        reopenLogs()
      case .drain:
        if mode == .serving { mode = .draining }
      case .stop:
        if mode != .ended { mode = .stopping }
        // The end of the line stays readable.
        poller.remove(post.orders)
        return
      }
    }
  }

  private func reopenLogs() {
    accessLog?.reopen()
    configuration.reopenLogs()
  }

  // MARK: - New connections

  func listen() throws(SystemError) {
    try poller.add(listener, .readingExclusively)
    if let park { try poller.add(park.receiving.raw, .readingExclusively) }
    isListening = true
    listensAgainAt = nil
  }

  /// Whoever stops listening may have been the one that was woken: what waits is taken a last time, and handed on.
  func stopListening() {
    poller.remove(listener)
    if let park { poller.remove(park.receiving.raw) }
    isListening = false
    if mode == .stopping { return }
    guard let park else { return }
    let deadline = System.now() + configuration.limits.readDeadline
    var count = 0
    while count < 64, let parked = park.take() {
      count += 1
      if !park.leave(parked.descriptor.raw, deadline: parked.deadline) {
        hold(connection(parked), .reading)
        return
      }
    }
    while count < 128, let descriptor = acceptOne() {
      count += 1
      if !park.leave(descriptor.raw, deadline: deadline) {
        hold(Connection(descriptor, limits: configuration.limits, deadline: deadline), .reading)
        return
      }
      score.count(Score.handOvers)
    }
  }

  private func acceptOne() -> Descriptor? {
    do {
      let accepted = try ListeningSocket.accept(listener)
      score.count(Score.accepted)
      return accepted
    } catch {
      switch error.code {
      case EMFILE, ENFILE, ENOBUFS, ENOMEM:
        logger.error("cannot accept connections", metadata: ["error": "\(error)"])
        listensAgainAt = System.now() + .milliseconds(100)
      default:
        break
      }
      return nil
    }
  }

  /// Takes one new connection; true if a request on it has been served.
  private func accept() -> Bool {
    owesAccept = false
    if connections.count >= configuration.limits.connections {
      listensAgainAt = System.now() + .milliseconds(100)
    }
    if listensAgainAt == nil, let descriptor = acceptOne() {
      let deadline = System.now() + configuration.limits.readDeadline
      let connection = Connection(descriptor, limits: configuration.limits, deadline: deadline)
      connection.isOverdue = score.board.isOverdue
      return receive(connection)
    }
    if listensAgainAt != nil { stopListening() }
    return false
  }

  /// Takes one connection: the others in the park have woken somebody of their own. What waits on it is read at once, as
  /// it would go back to the park for the next new connection otherwise.
  private func takeParked() -> Bool {
    guard connections.count < configuration.limits.connections, let parked = park?.take() else { return false }
    return receive(connection(parked))
  }

  func connection(_ parked: consuming Park.Parked) -> Connection {
    let deadline = parked.deadline
    let connection = Connection(parked.take(), limits: configuration.limits, deadline: deadline)
    // Only a connection that the web server keeps has no deadline.
    connection.hasServed = deadline == nil
    return connection
  }

  /// This worker alone was woken for a new connection, and is about to serve another one: it is left for the others.
  func settleAccept() {
    guard owesAccept, let park, let descriptor = acceptOne() else { return }
    owesAccept = false
    let deadline = System.now() + configuration.limits.readDeadline
    if park.leave(descriptor.raw, deadline: deadline) {
      score.count(Score.handOvers)
    } else {
      hold(Connection(descriptor, limits: configuration.limits, deadline: deadline), .reading)
    }
  }

  /// Nobody waits in the listen queue.
  func isQueueEmpty() -> Bool {
    var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, 0) == 0
  }

  // MARK: - Held connections

  func hold(_ connection: Connection, _ interest: Poller.Interest) {
    if connection.interest == interest { return }
    do {
      if connection.interest == nil {
        try poller.add(connection.raw, interest)
      } else {
        try poller.change(connection.raw, interest)
      }
      connection.interest = interest
      connections[connection.raw] = connection
    } catch {
      logger.error("cannot watch a connection", metadata: ["error": "\(error)"])
      drop(connection)
    }
  }

  func drop(_ connection: Connection) {
    if connection.interest != nil { poller.remove(connection.raw) }
    connection.interest = nil
    connections[connection.raw] = nil
  }

  /// False if it could not be left there.
  func leaveInPark(_ connection: Connection) -> Bool {
    guard let park, park.leave(connection.raw, deadline: connection.deadline) else { return false }
    score.count(Score.handOvers)
    drop(connection)
    return true
  }

  /// What waits is left to others at once, what may come to wait is watched over.
  func parkOthers(than connection: Connection, since start: Instant) {
    guard let handOver else { return }
    var idle: [Connection] = []
    for other in connections.values where other !== connection && other.isQuiet {
      if !readable.contains(other.raw) || !leaveInPark(other) { idle.append(other) }
    }
    for other in handOver.begin(idle, since: start) where !leaveInPark(other) { return }
  }

  /// The request in hand is over: what was handed over meanwhile is another worker's.
  func settleHandOver() {
    guard let handOver else { return }
    for other in handOver.end() {
      score.count(Score.handOvers)
      drop(other)
    }
  }

  // MARK: - Time

  private func timeout() -> Int32 {
    // What is waited for then does not wake epoll: room in the park, an empty queue.
    if mode != .serving { return 10 }
    let deadlines = connections.values.lazy.compactMap { $0.deadline }
    guard let next = [deadlines.min(), listensAgainAt].compactMap({ $0 }).min() else { return -1 }
    return next.milliseconds(from: System.now())
  }

  private func expire() {
    if connections.values.allSatisfy({ $0.deadline == nil }) && listensAgainAt == nil { return }
    let now = System.now()
    for connection in connections.values {
      guard let deadline = connection.deadline, deadline <= now else { continue }
      if connection.state == .reading, let id = connection.reader.requestID {
        refuse(connection, .readTimeout, id: id)
      } else {
        drop(connection)
      }
    }
    if let again = listensAgainAt, again <= now, mode == .serving { try? listen() }
  }

  private func finishIfPossible() throws(SystemError) {
    switch mode {
    case .serving, .ended:
      return
    case .draining:
      if isListening { stopListening() }
      listensAgainAt = nil
      for connection in connections.values where connection.isQuiet {
        if !leaveInPark(connection) { break }
      }
      if connections.isEmpty { mode = .ended }
    case .stopping:
      finishStopping()
    }
  }
}
