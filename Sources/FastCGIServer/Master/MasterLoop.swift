internal import CProcess
internal import Glibc
internal import Logging

/// The I/O around `Pool`: turns signals, exits and messages of children into events, and performs the actions.
final class MasterLoop {
  private let configuration: Master.Configuration
  private let logger: Logger
  private var pool: Pool
  private var poller: Poller
  private let signals: Signals
  private let manager: ServiceManager
  /// The first is the pool's own.
  private let listeners: [Listener]
  /// Index of `listeners` by role.
  private let listenerOfRole: [Int]
  private let scoreboard: MasterScoreboard
  private var queueAge: QueueAge
  private var nextCheck = System.now()
  private let pidFile: PIDFile?
  /// By slot.
  private var channels: [Int: Channel] = [:]
  /// By generation.
  private var programs: [Int: Spawn.Program] = [:]
  /// Opened for the reload that is asked for; `Pool.Note.reloadBegan` says for which generation.
  private var reloadedProgram: Spawn.Program?
  private var isFinished = false

  /// The master's end of the channel to one child.
  private final class Channel {
    let descriptor: Descriptor
    let process: Int32

    init(_ descriptor: consuming Descriptor, process: Int32) {
      self.descriptor = descriptor
      self.process = process
    }
  }

  init(configuration: Master.Configuration, logger: Logger) throws(SystemError) {
    self.configuration = configuration
    self.logger = logger
    pool = Pool(
      roles: configuration.roles, startTimeout: configuration.startTimeout, stopTimeout: configuration.stopTimeout)
    var manager = ServiceManager()
    // No child inherits what was left open for this process by accident.
    _ = cprocess_close_on_exec_from(3)
    signals = try Signals([SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGCHLD])
    let poolRole = configuration.roles.first { $0.listen == nil }?.name ?? ""
    let others = configuration.roles.filter { $0.listen != nil }.map(\.name)
    var listeners = [
      try Listener(
        configuration.listen, configuration,
        inherited: manager.takeSocket(for: poolRole, others: others, isPool: true))
    ]
    var listenerOfRole: [Int] = []
    for role in configuration.roles {
      listenerOfRole.append(role.listen == nil ? 0 : listeners.count)
      guard let address = role.listen else { continue }
      let inherited = manager.takeSocket(for: role.name, others: [], isPool: false)
      listeners.append(try Listener(address, configuration, inherited: inherited))
    }
    self.manager = manager
    self.listeners = listeners
    self.listenerOfRole = listenerOfRole
    scoreboard = try MasterScoreboard()
    queueAge = QueueAge(limit: configuration.queueAge)
    poller = try Poller()
    try poller.add(signals.descriptor.raw, .reading)
    programs[0] = try Spawn.Program(path: configuration.executable)
    pidFile = try configuration.pidFile.map { path throws(SystemError) in try PIDFile(path) }
  }

  func run() throws(SystemError) {
    logger.info("listening", metadata: ["address": "\(configuration.listen)", "pid": "\(getpid())"])
    handle(.time)
    var events: [Poller.Event] = []
    while !isFinished {
      let timeout = min(pool.nextDeadline ?? nextCheck, nextCheck).milliseconds(from: System.now())
      try poller.wait(milliseconds: timeout, into: &events)
      for event in events {
        if event.descriptor == signals.descriptor.raw {
          handleSignals()
        } else if let slot = channels.first(where: { $0.value.descriptor.raw == event.descriptor })?.key {
          receiveMessages(slot)
        }
      }
      handle(.time)
      runPeriodicChecks()
    }
  }

  /// What no event reports, a few times a second.
  private func runPeriodicChecks() {
    let now = System.now()
    if now < nextCheck { return }
    nextCheck = now + queueAge.interval
    checkQueueAge(now)
    if let deadline = configuration.requestDeadline { killUnresponsive(now, deadline) }
  }

  /// Between a worker's own end at its request's deadline and SIGKILL.
  private static let grace = Duration.seconds(2)

  /// A worker that has not ended by itself at its request's deadline cannot: it hangs in the kernel, or blocks the signal.
  private func killUnresponsive(_ now: Instant, _ deadline: Duration) {
    for slot in pool.slots.indices {
      guard let process = pool.child(in: slot)?.process, process != 0,
        let page = scoreboard.shared.slot(slot)
      else { continue }
      let began = Int64(clamping: page.get(ScoreboardLayout.requestBegan))
      if began == 0 || now < Instant(nanoseconds: began) + deadline + Self.grace { continue }
      logger.error("worker does not end at its deadline: killed", metadata: ["pid": "\(process)"])
      kill(process, SIGKILL)
    }
  }

  private func checkQueueAge(_ now: Instant) {
    var limit: UInt32 = 0
    let waiting = unsafe cprocess_listen_queue(listeners[0].socket.raw, &limit)
    if waiting < 0 { return }
    let overdue = queueAge.sample(now: now, accepted: scoreboard.shared.accepted, waiting: Int(waiting))
    scoreboard.set(ScoreboardLayout.waitedTooLong, overdue)
  }

  // MARK: Events

  private func handleSignals() {
    while let signal = signals.next() {
      switch signal {
      case SIGTERM, SIGQUIT: handle(.stop)
      case SIGINT: handle(.stopFast)
      case SIGTTIN: handle(.more)
      case SIGTTOU: handle(.fewer)
      case SIGHUP: reload()
      case SIGUSR1: reopenLogs()
      case SIGCHLD: reap()
      default: break
      }
    }
  }

  private func receiveMessages(_ slot: Int) {
    while let channel = channels[slot] {
      var message: [UInt8] = [0]
      switch channel.descriptor.receive(into: &message) {
      case .bytes(1):
        switch ControlChannel.Message(rawValue: message[0]) {
        case .ready: handle(.ready(process: channel.process))
        case .wantsReplacement:
          scoreboard.count(.recycles)
          handle(.wantsReplacement(process: channel.process))
        case nil: break
        }
      case .wouldBlock:
        return
      default:
        // SIGCHLD reports the child's end; the channel has no more messages.
        poller.remove(channel.descriptor.raw)
        channels[slot] = nil
      }
    }
  }

  private func reap() {
    while true {
      var change = cprocess_change()
      guard unsafe cprocess_next_change(&change) == 0, change.process != 0 else { return }
      if change.what == Int32(CPROCESS_STOPPED) {
        handle(.halted(process: change.process))
        continue
      }
      let code = change.what == Int32(CPROCESS_EXITED) ? change.status : -1
      if let slot = pool.slot(of: change.process) { recordExit(of: slot, change, code) }
      // A worker that ended with its request at the deadline did not crash.
      handle(.ended(process: change.process, isClean: code == 0 || code == Int32(CPROCESS_EXIT_DEADLINE)))
    }
  }

  private func recordExit(of slot: Int, _ change: cprocess_change, _ code: Int32) {
    let how = code < 0 ? "signal \(change.status)" : "exit \(code)"
    logger.info("child ended", metadata: ["slot": "\(slot)", "pid": "\(change.process)", "how": "\(how)"])
    if let channel = channels.removeValue(forKey: slot) { poller.remove(channel.descriptor.raw) }
    let last = scoreboard.close(slot: slot)
    if code == Int32(CPROCESS_EXIT_DEADLINE), last.indices.contains(Int(ScoreboardLayout.stage)) {
      let stage = Stage(rawValue: last[Int(ScoreboardLayout.stage)]) ?? .none
      logger.error(
        "request passed its deadline: its worker is replaced",
        metadata: ["pid": "\(change.process)", "stage": "\(stage)"])
    }
  }

  private func reload() {
    guard configuration.checkConfiguration() else {
      logger.error("reload refused: the configuration does not pass its check")
      return
    }
    do {
      reloadedProgram = try Spawn.Program(path: configuration.executable)
    } catch {
      logger.error("reload refused", metadata: ["error": "\(error)"])
      return
    }
    handle(.reload)
    reloadedProgram = nil
  }

  private func reopenLogs() {
    configuration.reopenLogs()
    for channel in channels.values { _ = channel.descriptor.send([ControlChannel.Order.reopenLogs.rawValue]) }
  }

  // MARK: Actions

  private func handle(_ event: Pool.Event) {
    var waiting = [event]
    while let next = waiting.first {
      waiting.removeFirst()
      for action in pool.handle(next, now: System.now()) {
        if let outcome = perform(action) { waiting.append(outcome) }
      }
    }
    scoreboard.set(ScoreboardLayout.generation, UInt64(clamping: pool.generation))
    scoreboard.set(ScoreboardLayout.workers, UInt64(clamping: workers))
  }

  /// How many children are to accept from the pool's own socket.
  private var workers: Int {
    configuration.roles.indices.reduce(0) { count, role in
      configuration.roles[role].serves && listenerOfRole[role] == 0 ? count + pool.counts[role] : count
    }
  }

  private func perform(_ action: Pool.Action) -> Pool.Event? {
    switch action {
    case .spawn(let slot, let role, let generation):
      let isWorker = configuration.roles[role].serves && listenerOfRole[role] == 0
      scoreboard.open(slot: slot, generation: generation, isWorker: isWorker)
      let event = spawn(slot, role, generation)
      if case .spawnFailed = event { scoreboard.close(slot: slot) }
      return event
    case .order(let process, let order):
      let channel = channels.values.first { $0.process == process }
      if channel?.descriptor.send([order.rawValue]) != .bytes(1) { kill(process, SIGTERM) }
    case .signal(let process, let ending):
      kill(process, ending == .kill ? SIGKILL : SIGINT)
    case .closeListener:
      logger.info("stopping")
      manager.notify("STOPPING=1")
      for listener in listeners { listener.close() }
    case .note(let note):
      take(note)
    case .finish:
      isFinished = true
    }
    return nil
  }

  private func spawn(_ slot: Int, _ number: Int, _ generation: Int) -> Pool.Event {
    let role = configuration.roles[number]
    let listener = listeners[listenerOfRole[number]]
    do {
      guard let program = programs[generation] else { throw SystemError("program of generation \(generation)", ENOENT) }
      let pair = try MessagePair()
      // A child that never accepts gets no listening socket: it would keep it open after the workers are gone.
      let null = try Descriptor.null()
      let (own, pool) = role.serves ? (listener.socket.raw, listeners[0].socket.raw) : (null.raw, null.raw)
      let child = Spawn(
        program: program, arguments: role.arguments,
        environment: [(ControlChannel.environmentKey, "\(slot) \(generation)")],
        descriptors: [
          (own, 0), (pair.second.raw, ControlChannel.channelDescriptor),
          (listener.handoffs.receiving.raw, ControlChannel.handoffDescriptors.receiving),
          (listener.handoffs.sending.raw, ControlChannel.handoffDescriptors.sending),
          (scoreboard.file.raw, ControlChannel.scoreboardDescriptor), (pool, ControlChannel.poolListenerDescriptor),
        ])
      let process = try child.run()
      _ = consume null
      let channel = Channel(try pair.first.high(), process: process)
      try poller.add(channel.descriptor.raw, .reading)
      channels[slot] = channel
      logger.debug("child started", metadata: ["slot": "\(slot)", "role": "\(role.name)", "pid": "\(process)"])
      return .spawned(slot: slot, process: process)
    } catch {
      logger.error("cannot start a child", metadata: ["role": "\(role.name)", "error": "\(error)"])
      return .spawnFailed(slot: slot)
    }
  }

  /// Logs it, counts it, and tells the service manager.
  private func take(_ note: Pool.Note) {
    switch note {
    case .allReady:
      logger.notice("ready", metadata: ["address": "\(configuration.listen)"])
      manager.notify("READY=1")
    case .crashed(let slot, let process, let delay):
      scoreboard.count(.crashes)
      logger.error(
        "child ended unasked", metadata: ["slot": "\(slot)", "pid": "\(process)", "retriesAfter": "\(delay)"])
    case .startTimedOut(let process):
      logger.error("child did not become ready", metadata: ["pid": "\(process)"])
    case .killed(let process):
      logger.warning("child did not end in time", metadata: ["pid": "\(process)"])
    case .halted(let process):
      logger.warning("child was stopped by a signal", metadata: ["pid": "\(process)"])
    case .reloadBegan(let generation):
      programs[generation] = reloadedProgram
      scoreboard.count(.reloads)
      manager.notifyReloading()
      logger.notice("reload began", metadata: ["generation": "\(generation)"])
    case .reloadFinished(let generation):
      programs = programs.filter { $0.key == generation }
      manager.notify("READY=1")
      logger.notice("reload finished", metadata: ["generation": "\(generation)"])
    case .reloadFailed(let generation):
      manager.notify("READY=1")
      logger.error("reload failed: the old generation goes on", metadata: ["failed": "\(generation)"])
    case .count(let role, let count):
      logger.notice("count changed", metadata: ["role": "\(configuration.roles[role].name)", "count": "\(count)"])
    }
  }
}
