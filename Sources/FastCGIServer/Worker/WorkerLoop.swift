internal import Glibc
internal import Logging

/// A worker at work: one thread, one epoll, one request at a time.
///
/// An incomplete request waits in epoll like an idle connection does, so that a slow peer occupies no worker. The rules of
/// keep-alive here:
/// 1. The listening socket and the hand-off queue wake one worker each time, not all.
/// 2. No other connection on which nothing has been read waits behind a request: one that has something to read is handed
///    off before the request is served, an idle one if the request takes long (``DelayedHandoff``).
/// 3. A connection is kept only if the web server asked for it and the listen queue is empty; else a record after
///    END_REQUEST keeps the web server from using it again.
/// 4. An idle connection is closed by the web server alone. A worker that ends hands off those it holds.
final class WorkerLoop {
  enum Mode {
    case serving
    /// Other workers go on: what can be handed over is.
    case draining
    /// The pool ends: all that has come is finished here.
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
  let channel: ControlChannel?
  let handoffs: HandoffQueue?
  let delayedHandoff: DelayedHandoff?
  /// The descriptors that epoll reported and that have not been read since.
  var readable: Set<Int32> = []
  let scoreboard: ChildScoreboard
  let timeoutResponse: TimeoutResponse
  let accessLog: AccessLog?
  let memory = MemoryGauge()

  var mode = Mode.serving {
    didSet {
      if mode != oldValue { scoreboard.enter(mode == .ended ? WorkerState.stopped : .draining) }
    }
  }
  var isListening = false
  /// epoll reported a new connection that has not been accepted yet.
  var owesAccept = false
  /// Accepting failed for want of descriptors or memory, or the limit of connections is reached: not again before.
  var listenRetryAt: Instant?
  var connections: [Int32: Connection] = [:]
  var scratch = [UInt8](repeating: 0, count: 64 * 1024)
  var records = RecordWriter()
  var served = 0
  var hasAskedForReplacement = false
  /// `Worker.Configuration.maximumRequests`, less a random part.
  let maximumRequests: Int?
  var stoppingSince: Instant?

  init(
    configuration: Worker.Configuration, logger: Logger, channel: ControlChannel?,
    respond: @escaping (Request) -> Response
  ) throws(SystemError) {
    self.configuration = configuration
    self.logger = logger
    self.respond = respond
    self.channel = channel
    handoffs = channel?.inheritedHandoffQueue()
    if let handoffs { delayedHandoff = try DelayedHandoff(to: handoffs) } else { delayedHandoff = nil }
    maximumRequests = configuration.maximumRequests.map { max(1, $0 - Int.random(in: 0...($0 / 5))) }
    try Listener.adopt(descriptor: listener)
    signals = try Signals([SIGTERM, SIGQUIT, SIGHUP, SIGINT, SIGUSR1])
    library = try FastCGILibrary()
    scoreboard = try ChildScoreboard(channel: channel)
    timeoutResponse = try TimeoutResponse(
      deadline: configuration.limits.requestDeadline, response: configuration.timeoutResponse, on: scoreboard.page)
    accessLog = configuration.accessLog.map { AccessLog(path: $0) }
    configuration.activity.attach(
      scoreboard, pool: channel?.inheritedPoolListener(), routes: configuration.routes)
    if let channel { configuration.limit.attach(scoreboard.shared, slot: channel.slot) }
    poller = try Poller()
    try poller.add(signals.descriptor.raw, .reading)
    if let channel { try poller.add(channel.orderDescriptor, .reading) }
  }

  func run() throws(SystemError) {
    // Requests are served without an access log too.
    if accessLog?.isOpen == false { logger.error("the access log cannot be opened: its lines are dropped") }
    try listen()
    channel?.announceReady()
    scoreboard.enter(WorkerState.idle)
    var events: [Poller.Event] = []
    while mode != .ended {
      try poller.wait(milliseconds: timeout(), into: &events)
      try handle(events)
      expire()
      try finishIfPossible()
    }
  }

  // MARK: Events

  /// Orders come before connections, new connections before those held: if the worker that was woken for the listening
  /// socket or the hand-off queue took nothing from it, no other would be woken.
  private func handle(_ events: [Poller.Event]) throws(SystemError) {
    for event in events {
      if event.descriptor == signals.descriptor.raw { handleSignals() }
      if event.descriptor == channel?.orderDescriptor { handleOrders() }
    }
    guard mode != .ended else { return }
    readable.removeAll(keepingCapacity: true)
    if events.count > 1 { for event in events { readable.insert(event.descriptor) } }
    owesAccept = isListening && events.contains { $0.descriptor == listener }
    var hasServed = false
    if let handoffs, isListening, events.contains(where: { $0.descriptor == handoffs.receiving.raw }) {
      hasServed = takeFromQueue()
    }
    if owesAccept, isListening, !hasServed { hasServed = accept() }
    owesAccept = false
    for event in events where !hasServed {
      // One served request for each wait: the other connections may have been handed off by now.
      guard let connection = connections[event.descriptor] else { continue }
      hasServed = connection.state == .writing ? flush(connection) : receive(connection)
    }
  }

  private func handleSignals() {
    while let signal = signals.next() {
      switch signal {
      case SIGUSR1: reopenLogs()
      case SIGINT: mode = .ended
      default: if mode == .serving { mode = channel == nil ? .stopping : .draining }
      }
    }
  }

  private func handleOrders() {
    while let channel, let order = channel.nextOrder() {
      switch order {
      case .reopenLogs:
        reopenLogs()
      case .drain:
        if mode == .serving { mode = .draining }
      case .stop:
        if mode != .ended { mode = .stopping }
        // The end of the channel stays readable.
        poller.remove(channel.orderDescriptor)
        return
      }
    }
  }

  private func reopenLogs() {
    accessLog?.reopen()
    configuration.reopenLogs()
  }

  // MARK: New connections

  func listen() throws(SystemError) {
    try poller.add(listener, .readingExclusively)
    if let handoffs { try poller.add(handoffs.receiving.raw, .readingExclusively) }
    isListening = true
    listenRetryAt = nil
  }

  /// This worker may have been the one that was woken: what waits is taken a last time, and handed off.
  func stopListening() {
    poller.remove(listener)
    if let handoffs { poller.remove(handoffs.receiving.raw) }
    isListening = false
    if mode == .stopping { return }
    guard let handoffs else { return }
    let deadline = System.now() + configuration.limits.readDeadline
    var count = 0
    while count < 64, let entry = handoffs.dequeue() {
      count += 1
      if !handoffs.enqueue(entry.descriptor.raw, deadline: entry.deadline) {
        hold(connection(entry), .reading)
        return
      }
    }
    while count < 128, let descriptor = acceptOne() {
      count += 1
      if !handoffs.enqueue(descriptor.raw, deadline: deadline) {
        hold(Connection(descriptor, limits: configuration.limits, deadline: deadline), .reading)
        return
      }
      scoreboard.count(.handoffs)
    }
  }

  private func acceptOne() -> Descriptor? {
    do {
      let accepted = try Listener.accept(listener)
      scoreboard.count(.accepted)
      return accepted
    } catch {
      switch error.code {
      case EMFILE, ENFILE, ENOBUFS, ENOMEM:
        logger.error("cannot accept connections", metadata: ["error": "\(error)"])
        listenRetryAt = System.now() + .milliseconds(100)
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
      listenRetryAt = System.now() + .milliseconds(100)
    }
    if listenRetryAt == nil, let descriptor = acceptOne() {
      let deadline = System.now() + configuration.limits.readDeadline
      let connection = Connection(descriptor, limits: configuration.limits, deadline: deadline)
      connection.hasWaitedTooLong = scoreboard.shared.newestHasWaitedTooLong
      return receive(connection)
    }
    if listenRetryAt != nil { stopListening() }
    return false
  }

  /// Takes one connection; each further one in the queue has woken another worker. It is read at once, or it would be
  /// handed off again before the next request.
  private func takeFromQueue() -> Bool {
    guard connections.count < configuration.limits.connections, let entry = handoffs?.dequeue() else { return false }
    return receive(connection(entry))
  }

  func connection(_ entry: consuming HandoffQueue.Entry) -> Connection {
    let deadline = entry.deadline
    let connection = Connection(entry.takeDescriptor(), limits: configuration.limits, deadline: deadline)
    // Only a connection that the web server keeps has no deadline.
    connection.hasServed = deadline == nil
    return connection
  }

  /// No other worker was woken for the new connection, and this one is about to serve a request: it is handed off.
  func handOffNewConnection() {
    guard owesAccept, let handoffs, let descriptor = acceptOne() else { return }
    owesAccept = false
    let deadline = System.now() + configuration.limits.readDeadline
    if handoffs.enqueue(descriptor.raw, deadline: deadline) {
      scoreboard.count(.handoffs)
    } else {
      hold(Connection(descriptor, limits: configuration.limits, deadline: deadline), .reading)
    }
  }

  func isQueueEmpty() -> Bool {
    var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, 0) == 0
  }

  // MARK: Held connections

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

  /// False if the queue has no room.
  func handOff(_ connection: Connection) -> Bool {
    guard let handoffs, handoffs.enqueue(connection.raw, deadline: connection.deadline) else { return false }
    scoreboard.count(.handoffs)
    drop(connection)
    return true
  }

  /// Connections with something to read are handed off at once, idle ones if the request takes long.
  func handOffOthers(than connection: Connection, since start: Instant) {
    guard let delayedHandoff else { return }
    var idle: [Connection] = []
    for other in connections.values where other !== connection && other.isBetweenRequests {
      if !readable.contains(other.raw) || !handOff(other) { idle.append(other) }
    }
    for other in delayedHandoff.begin(idle, since: start) where !handOff(other) { return }
  }

  /// The request in hand is over: what was handed off meanwhile belongs to another worker.
  func dropHandedOff() {
    guard let delayedHandoff else { return }
    for other in delayedHandoff.end() {
      scoreboard.count(.handoffs)
      drop(other)
    }
  }

  // MARK: Time

  private func timeout() -> Int32 {
    // What is waited for then does not wake epoll: room in the hand-off queue, an empty listen queue.
    if mode != .serving { return 10 }
    let deadlines = connections.values.lazy.compactMap { $0.deadline }
    guard let next = [deadlines.min(), listenRetryAt].compactMap({ $0 }).min() else { return -1 }
    return next.milliseconds(from: System.now())
  }

  private func expire() {
    if connections.values.allSatisfy({ $0.deadline == nil }) && listenRetryAt == nil { return }
    let now = System.now()
    for connection in connections.values {
      guard let deadline = connection.deadline, deadline <= now else { continue }
      if connection.state == .reading, let id = connection.reader.requestID {
        refuse(connection, .readTimeout, id: id)
      } else {
        drop(connection)
      }
    }
    if let again = listenRetryAt, again <= now, mode == .serving { try? listen() }
  }

  private func finishIfPossible() throws(SystemError) {
    switch mode {
    case .serving, .ended:
      return
    case .draining:
      if isListening { stopListening() }
      listenRetryAt = nil
      for connection in connections.values where connection.isBetweenRequests {
        if !handOff(connection) { break }
      }
      if connections.isEmpty { mode = .ended }
    case .stopping:
      finishStopping()
    }
  }

  // MARK: Stopping

  /// How long a connection may stay without a request: a web server that has connected sends one at once.
  private static let firstByteTimeout = Duration.milliseconds(200)
  /// After that, new connections that keep coming no longer keep the worker from ending.
  private static let maximumListening = Duration.seconds(1)

  private func finishStopping() {
    let now = System.now()
    let since = stoppingSince ?? now
    stoppingSince = since
    listenRetryAt = nil
    if isListening, isQueueEmpty() || now >= since + Self.maximumListening { stopListening() }
    if isListening { return }
    while let entry = handoffs?.dequeue() { hold(connection(entry), .reading) }
    let hasWaited = now >= since + Self.firstByteTimeout
    for connection in connections.values where connection.isBetweenRequests {
      // An idle connection ends now, a new one after its time-out.
      if (connection.deadline == nil || hasWaited) && !connection.descriptor.hasBytes() { drop(connection) }
    }
    if connections.isEmpty { mode = .ended }
  }
}
