internal import CProcess
internal import Glibc
internal import Logging

/// The shell around `Pool`: turns signals, ends of children and their words into events, and carries the actions out.
final class MasterLoop {
  private let configuration: Master.Configuration
  private let logger: Logger
  private var pool: Pool
  private var poller: Poller
  private let signals: Signals
  private let manager: ServiceManager
  /// Those that take from the pool's own socket come to the first.
  private let entrances: [Entrance]
  /// By role.
  private let entranceOfRole: [Int]
  private let ledger: Ledger
  private var queueAge: QueueAge
  private var nextLook = System.now()
  private let pidFile: PIDFile?
  /// By slot.
  private var lines: [Int: Line] = [:]
  /// By generation.
  private var programs: [Int: Spawn.Program] = [:]
  private var isFinished = false

  /// The master's end of the line to one child.
  private final class Line {
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
    // What was left open for this process by accident stops here.
    _ = cprocess_close_on_exec_from(3)
    signals = try Signals([SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGCHLD])
    let pools = configuration.roles.first { $0.listen == nil }?.name ?? ""
    let others = configuration.roles.filter { $0.listen != nil }.map(\.name)
    var entrances = [
      try Entrance(
        configuration.listen, configuration,
        inherited: manager.takeSocket(for: pools, others: others, isPools: true))
    ]
    var entranceOfRole: [Int] = []
    for role in configuration.roles {
      entranceOfRole.append(role.listen == nil ? 0 : entrances.count)
      guard let address = role.listen else { continue }
      let inherited = manager.takeSocket(for: role.name, others: [], isPools: false)
      entrances.append(try Entrance(address, configuration, inherited: inherited))
    }
    self.manager = manager
    self.entrances = entrances
    self.entranceOfRole = entranceOfRole
    ledger = try Ledger()
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
      let timeout = min(pool.nextDeadline ?? nextLook, nextLook).milliseconds(from: System.now())
      try poller.wait(milliseconds: timeout, into: &events)
      for event in events {
        if event.descriptor == signals.descriptor.raw {
          takeSignals()
        } else if let slot = lines.first(where: { $0.value.descriptor.raw == event.descriptor })?.key {
          takeWords(slot)
        }
      }
      handle(.time)
      lookAround()
    }
  }

  /// What no event tells, a few times a second.
  private func lookAround() {
    let now = System.now()
    if now < nextLook { return }
    nextLook = now + queueAge.interval
    lookAtQueue(now)
    if let deadline = configuration.requestDeadline { endTheDeaf(now, deadline) }
  }

  /// Between a worker's own end at its deadline and this one.
  private static let grace = Duration.seconds(2)

  /// A worker that has not ended by itself at its request's deadline cannot: it sits in the kernel, or hears no signal.
  private func endTheDeaf(_ now: Instant, _ deadline: Duration) {
    for slot in pool.slots.indices {
      guard let process = pool.child(in: slot)?.process, process != 0, let page = ledger.board.slot(slot) else {
        continue
      }
      let began = Int64(clamping: page.get(Score.requestBegan))
      if began == 0 || now < Instant(nanoseconds: began) + deadline + Self.grace { continue }
      logger.error("worker does not end at its deadline: killed", metadata: ["pid": "\(process)"])
      kill(process, SIGKILL)
    }
  }

  private func lookAtQueue(_ now: Instant) {
    var limit: UInt32 = 0
    let waiting = unsafe cprocess_listen_queue(entrances[0].listener.raw, &limit)
    if waiting < 0 { return }
    ledger.set(Score.overdue, queueAge.look(now: now, accepted: ledger.board.accepted, waiting: Int(waiting)))
  }

  // MARK: - Events

  private func takeSignals() {
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

  private func takeWords(_ slot: Int) {
    while let line = lines[slot] {
      var message: [UInt8] = [0]
      switch line.descriptor.receive(into: &message) {
      case .bytes(1):
        switch Post.Word(rawValue: message[0]) {
        case .ready: handle(.ready(process: line.process))
        case .tired:
          ledger.count(Score.recycles)
          handle(.tired(process: line.process))
        case nil: break
        }
      case .wouldBlock:
        return
      default:
        // Its end is told by SIGCHLD; the line has no more to say.
        poller.remove(line.descriptor.raw)
        lines[slot] = nil
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
      if let slot = pool.slot(of: change.process) { bury(slot, change, code) }
      // One that ended with its request at the deadline did what it had to.
      handle(.ended(process: change.process, isClean: code == 0 || code == Int32(CPROCESS_OVERDUE)))
    }
  }

  private func bury(_ slot: Int, _ change: cprocess_change, _ code: Int32) {
    let how = code < 0 ? "signal \(change.status)" : "exit \(code)"
    logger.info("child ended", metadata: ["slot": "\(slot)", "pid": "\(change.process)", "how": "\(how)"])
    if let line = lines.removeValue(forKey: slot) { poller.remove(line.descriptor.raw) }
    let last = ledger.close(slot: slot)
    if code == Int32(CPROCESS_OVERDUE), last.indices.contains(Int(Score.stage)) {
      let stage = Stage(rawValue: last[Int(Score.stage)]) ?? .none
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
      programs[pool.newestGeneration + 1] = try Spawn.Program(path: configuration.executable)
    } catch {
      logger.error("reload refused", metadata: ["error": "\(error)"])
      return
    }
    handle(.reload)
  }

  private func reopenLogs() {
    configuration.reopenLogs()
    for line in lines.values { _ = line.descriptor.send([Post.Order.reopenLogs.rawValue]) }
  }

  // MARK: - Actions

  private func handle(_ event: Pool.Event) {
    var waiting = [event]
    while let next = waiting.first {
      waiting.removeFirst()
      for action in pool.handle(next, now: System.now()) {
        if let outcome = carryOut(action) { waiting.append(outcome) }
      }
    }
    ledger.set(Score.generation, UInt64(clamping: pool.generation))
    ledger.set(Score.workers, UInt64(clamping: workers))
  }

  /// How many children are to take from the pool's own socket.
  private var workers: Int {
    configuration.roles.indices.reduce(0) { count, role in
      configuration.roles[role].serves && entranceOfRole[role] == 0 ? count + pool.counts[role] : count
    }
  }

  private func carryOut(_ action: Pool.Action) -> Pool.Event? {
    switch action {
    case .spawn(let slot, let role, let generation):
      let isWorker = configuration.roles[role].serves && entranceOfRole[role] == 0
      ledger.open(slot: slot, generation: generation, isWorker: isWorker)
      let event = spawn(slot, role, generation)
      if case .spawnFailed = event { ledger.close(slot: slot) }
      return event
    case .order(let process, let order):
      let line = lines.values.first { $0.process == process }
      if line?.descriptor.send([order.rawValue]) != .bytes(1) { kill(process, SIGTERM) }
    case .signal(let process, let ending):
      kill(process, ending == .kill ? SIGKILL : SIGINT)
    case .closeListener:
      logger.info("stopping")
      manager.tell("STOPPING=1")
      for entrance in entrances { entrance.close() }
    case .note(let note):
      log(note)
    case .finish:
      isFinished = true
    }
    return nil
  }

  private func spawn(_ slot: Int, _ number: Int, _ generation: Int) -> Pool.Event {
    let role = configuration.roles[number]
    let entrance = entrances[entranceOfRole[number]]
    do {
      guard let program = programs[generation] else { throw SystemError("program of generation \(generation)", ENOENT) }
      let pair = try MessagePair()
      // Whoever holds a listening socket keeps it open for those who knock.
      let idle = try Descriptor.null()
      let (entry, pool) = role.serves ? (entrance.listener.raw, entrances[0].listener.raw) : (idle.raw, idle.raw)
      let child = Spawn(
        program: program, arguments: role.arguments,
        environment: [(Post.environmentKey, "\(slot) \(generation)")],
        descriptors: [
          (entry, 0), (pair.second.raw, Post.lineDescriptor),
          (entrance.park.receiving.raw, Post.parkDescriptors.receiving),
          (entrance.park.sending.raw, Post.parkDescriptors.sending), (ledger.file.raw, Post.boardDescriptor),
          (pool, Post.poolDescriptor),
        ])
      let process = try child.run()
      _ = consume idle
      let line = Line(try pair.first.high(), process: process)
      try poller.add(line.descriptor.raw, .reading)
      lines[slot] = line
      logger.debug("child started", metadata: ["slot": "\(slot)", "role": "\(role.name)", "pid": "\(process)"])
      return .spawned(slot: slot, process: process)
    } catch {
      logger.error("cannot start a child", metadata: ["role": "\(role.name)", "error": "\(error)"])
      return .spawnFailed(slot: slot)
    }
  }

  private func log(_ note: Pool.Note) {
    switch note {
    case .allReady:
      logger.notice("ready", metadata: ["address": "\(configuration.listen)"])
      manager.tell("READY=1")
    case .crashed(let slot, let process, let delay):
      ledger.count(Score.crashes)
      logger.error(
        "child ended unasked", metadata: ["slot": "\(slot)", "pid": "\(process)", "retriesAfter": "\(delay)"])
    case .startTimedOut(let process):
      logger.error("child did not become ready", metadata: ["pid": "\(process)"])
    case .killed(let process):
      logger.warning("child did not end in time", metadata: ["pid": "\(process)"])
    case .halted(let process):
      logger.warning("child was stopped by a signal", metadata: ["pid": "\(process)"])
    case .reloadBegan(let generation):
      ledger.count(Score.reloads)
      manager.tellReloading()
      logger.notice("reload began", metadata: ["generation": "\(generation)"])
    case .reloadFinished(let generation):
      programs = programs.filter { $0.key == generation }
      manager.tell("READY=1")
      logger.notice("reload finished", metadata: ["generation": "\(generation)"])
    case .reloadFailed(let generation):
      manager.tell("READY=1")
      logger.error("reload failed: the old generation goes on", metadata: ["failed": "\(generation)"])
    case .count(let role, let count):
      logger.notice("count changed", metadata: ["role": "\(configuration.roles[role].name)", "count": "\(count)"])
    }
  }
}
