internal import Glibc
internal import Logging

/// A worker at work: one thread, one epoll, one request at a time.
///
/// An incomplete request waits in epoll like an idle connection does, so that a slow peer occupies no worker. What happens
/// when to a connection is decided by ``ConnectionHandoff``. The rules of keep-alive:
/// 1. The listening socket and the hand-off queue wake one worker each time, not all.
/// 2. No other connection on which nothing has been read waits behind a request: one that has something to read is handed
///    off before the request is served, an idle one if the request takes long (``DelayedHandoff``).
/// 3. A connection is kept only if the web server asked for it and the listen queue is empty; else a record after
///    END_REQUEST keeps the web server from using it again.
/// 4. An idle connection is closed by the web server alone. A worker that ends hands off those it holds.
final class WorkerLoop {
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

  var handoff: ConnectionHandoff
  /// What epoll reported last.
  private var events: [Poller.Event] = []
  /// The last accept failed for want of descriptors or memory.
  private var isExhausted = false
  /// The request that is being served.
  var requestInHand: (connection: Connection, began: Instant)?
  var connections: [Int32: Connection] = [:]
  var scratch = [UInt8](repeating: 0, count: 64 * 1024)
  var records = RecordWriter()
  var served = 0
  var hasAskedForReplacement = false
  /// `Worker.Configuration.maximumRequests`, less a random part.
  let maximumRequests: Int?

  init(
    configuration: Worker.Configuration, logger: Logger, channel: ControlChannel?,
    respond: @escaping (Request) -> Response
  ) throws(SystemError) {
    self.configuration = configuration
    self.logger = logger
    self.respond = respond
    self.channel = channel
    handoffs = channel?.inheritedHandoffQueue()
    handoff = ConnectionHandoff(hasQueue: handoffs != nil)
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
    while handoff.mode != .ended {
      try poller.wait(milliseconds: timeout(), into: &events)
      handleEvents()
      expire()
      if !handoff.isSteady { handle(.turnEnded(System.now(), isListenQueueEmpty: isListenQueueEmpty())) }
    }
  }

  /// Hands an event to the state machine, performs the action that follows, and so on.
  func handle(_ event: ConnectionHandoff.Event) {
    var next: ConnectionHandoff.Event? = event
    while let event = next, let action = handoff.handle(event) { next = perform(action) }
  }

  private func perform(_ action: ConnectionHandoff.Action) -> ConnectionHandoff.Event? {
    switch action {
    case .takeQueued:
      takeQueued()
      return .taken
    case .accept:
      return accept() ? .taken : .exhausted(System.now())
    case .receive:
      receiveReported()
    case .handOff(let newConnection):
      if newConnection { handOffNewConnection() }
      handOffOthers()
    case .listen:
      do { try listen() } catch { return nil }
      return .listening
    case .stopListening(let handsOff):
      stopListening(handsOff: handsOff)
      return .stoppedListening(System.now())
    case .handOffIdle:
      for connection in connections.values where connection.isBetweenRequests {
        if !handOff(connection) { break }
      }
      return .connectionsLeft(connections.count)
    case .closeIdle(let includingNew):
      closeIdle(includingNew: includingNew)
      return .connectionsLeft(connections.count)
    case .enter(let state):
      scoreboard.enter(state)
    }
    return nil
  }

  // MARK: Events

  /// Orders come before connections, new connections before those held: if the worker that was woken for the listening
  /// socket or the hand-off queue took nothing from it, no other would be woken.
  private func handleEvents() {
    for event in events {
      if event.descriptor == signals.descriptor.raw { handleSignals() }
      if event.descriptor == channel?.orderDescriptor { handleOrders() }
    }
    readable.removeAll(keepingCapacity: true)
    if events.count > 1 { for event in events { readable.insert(event.descriptor) } }
    let queue = handoffs?.receiving.raw
    handle(
      .woken(
        newConnection: events.contains { $0.descriptor == listener },
        queuedConnection: events.contains { $0.descriptor == queue }))
  }

  private func receiveReported() {
    for event in events where handoff.turn == .receiving {
      guard let connection = connections[event.descriptor] else { continue }
      if connection.state == .writing { flush(connection) } else { receive(connection) }
    }
  }

  private func handleSignals() {
    while let signal = signals.next() {
      switch signal {
      case SIGUSR1: reopenLogs()
      case SIGINT: handle(.interrupt)
      default: handle(.terminate)
      }
    }
  }

  private func handleOrders() {
    while let channel, let order = channel.nextOrder() {
      if order == .reopenLogs { reopenLogs() }
      handle(.order(order))
      if order == .stop {
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

  private func listen() throws(SystemError) {
    try poller.add(listener, .readingExclusively)
    if let handoffs { try poller.add(handoffs.receiving.raw, .readingExclusively) }
  }

  private func stopListening(handsOff: Bool) {
    poller.remove(listener)
    if let handoffs { poller.remove(handoffs.receiving.raw) }
    guard handsOff, let handoffs else { return }
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
      if !handOff(descriptor, deadline: deadline) { return }
    }
  }

  private func acceptOne() -> Descriptor? {
    isExhausted = false
    do {
      let accepted = try Listener.accept(listener)
      scoreboard.count(.accepted)
      return accepted
    } catch {
      if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.code) {
        logger.error("cannot accept connections", metadata: ["error": "\(error)"])
        isExhausted = true
      }
      return nil
    }
  }

  /// False if no more connections can be accepted.
  private func accept() -> Bool {
    if connections.count >= configuration.limits.connections { return false }
    guard let descriptor = acceptOne() else { return !isExhausted }
    let deadline = System.now() + configuration.limits.readDeadline
    let connection = Connection(descriptor, limits: configuration.limits, deadline: deadline)
    connection.hasWaitedTooLong = scoreboard.shared.newestHasWaitedTooLong
    receive(connection)
    return true
  }

  /// It is read at once, or it would be handed off again before the next request.
  private func takeQueued() {
    guard connections.count < configuration.limits.connections, let entry = handoffs?.dequeue() else { return }
    receive(connection(entry))
  }

  private func connection(_ entry: consuming HandoffQueue.Entry) -> Connection {
    let deadline = entry.deadline
    let connection = Connection(entry.takeDescriptor(), limits: configuration.limits, deadline: deadline)
    // Only a connection that the web server keeps has no deadline.
    connection.hasHadRequest = deadline == nil
    return connection
  }

  private func handOffNewConnection() {
    guard handoffs != nil, let descriptor = acceptOne() else { return }
    _ = handOff(descriptor, deadline: System.now() + configuration.limits.readDeadline)
  }

  /// False if the queue has no room: then this worker keeps the connection.
  private func handOff(_ descriptor: consuming Descriptor, deadline: Instant) -> Bool {
    if handoffs?.enqueue(descriptor.raw, deadline: deadline) == true {
      scoreboard.count(.handoffs)
      return true
    }
    hold(Connection(descriptor, limits: configuration.limits, deadline: deadline), .reading)
    return false
  }

  func isListenQueueEmpty() -> Bool {
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
  private func handOff(_ connection: Connection) -> Bool {
    guard let handoffs, handoffs.enqueue(connection.raw, deadline: connection.deadline) else { return false }
    scoreboard.count(.handoffs)
    drop(connection)
    return true
  }

  private func handOffOthers() {
    guard let delayedHandoff, let requestInHand else { return }
    var idle: [Connection] = []
    for other in connections.values where other !== requestInHand.connection && other.isBetweenRequests {
      if !readable.contains(other.raw) || !handOff(other) { idle.append(other) }
    }
    for other in delayedHandoff.begin(idle, since: requestInHand.began) where !handOff(other) { return }
  }

  /// The request in hand is over: what was handed off meanwhile belongs to another worker.
  func dropHandedOff() {
    guard let delayedHandoff else { return }
    for other in delayedHandoff.end() {
      scoreboard.count(.handoffs)
      drop(other)
    }
  }

  private func closeIdle(includingNew: Bool) {
    while let entry = handoffs?.dequeue() { hold(connection(entry), .reading) }
    for connection in connections.values where connection.isBetweenRequests {
      if (connection.deadline == nil || includingNew) && !connection.descriptor.hasBytes() { drop(connection) }
    }
  }

  // MARK: Time

  private func timeout() -> Int32 {
    // What is waited for then does not wake epoll: room in the hand-off queue, an empty listen queue.
    if !handoff.isServing { return 10 }
    let deadlines = connections.values.lazy.compactMap { $0.deadline }
    guard let next = [deadlines.min(), handoff.nextDeadline].compactMap({ $0 }).min() else { return -1 }
    return next.milliseconds(from: System.now())
  }

  private func expire() {
    if connections.values.allSatisfy({ $0.deadline == nil }) { return }
    let now = System.now()
    for connection in connections.values {
      guard let deadline = connection.deadline, deadline <= now else { continue }
      if connection.state == .reading, let id = connection.reader.requestID {
        refuse(connection, .readTimeout, id: id)
      } else {
        drop(connection)
      }
    }
  }
}
