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
  private let listener: Descriptor
  private let park: Park
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
    // What was left open for this process by accident stops here.
    _ = cprocess_close_on_exec_from(3)
    signals = try Signals([SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGCHLD])
    listener = try ListeningSocket.open(
      configuration.listen,
      .init(mode: configuration.socketMode, owner: configuration.socketOwner, group: configuration.socketGroup),
      backlog: configuration.backlog)
    let pair = try MessagePair()
    park = Park(receiving: pair.first, sending: pair.second)
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
      let timeout = pool.nextDeadline.map { $0.milliseconds(from: System.now()) } ?? -1
      try poller.wait(milliseconds: timeout, into: &events)
      for event in events {
        if event.descriptor == signals.descriptor.raw {
          takeSignals()
        } else if let slot = lines.first(where: { $0.value.descriptor.raw == event.descriptor })?.key {
          takeWords(slot)
        }
      }
      handle(.time)
    }
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
        case .tired: handle(.tired(process: line.process))
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
      if let slot = pool.slot(of: change.process) {
        let how = change.what == Int32(CPROCESS_EXITED) ? "exit \(change.status)" : "signal \(change.status)"
        logger.info("child ended", metadata: ["slot": "\(slot)", "pid": "\(change.process)", "how": "\(how)"])
        if let line = lines.removeValue(forKey: slot) { poller.remove(line.descriptor.raw) }
      }
      handle(.ended(process: change.process, isClean: change.what == Int32(CPROCESS_EXITED) && change.status == 0))
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
  }

  private func carryOut(_ action: Pool.Action) -> Pool.Event? {
    switch action {
    case .spawn(let slot, let role, let generation):
      return spawn(slot, configuration.roles[role], generation)
    case .order(let process, let order):
      let line = lines.values.first { $0.process == process }
      if line?.descriptor.send([order.rawValue]) != .bytes(1) { kill(process, SIGTERM) }
    case .signal(let process, let ending):
      kill(process, ending == .kill ? SIGKILL : SIGINT)
    case .closeListener:
      logger.info("stopping")
      if case .unix(let path) = configuration.listen { _ = unsafe unlink(path) }
    case .note(let note):
      log(note)
    case .finish:
      isFinished = true
    }
    return nil
  }

  private func spawn(_ slot: Int, _ role: ChildRole, _ generation: Int) -> Pool.Event {
    do {
      guard let program = programs[generation] else { throw SystemError("program of generation \(generation)", ENOENT) }
      let pair = try MessagePair()
      let child = Spawn(
        program: program, arguments: role.arguments,
        environment: [(Post.environmentKey, "\(slot) \(generation)")],
        descriptors: [
          (listener.raw, 0), (pair.second.raw, Post.lineDescriptor),
          (park.receiving.raw, Post.parkDescriptors.receiving), (park.sending.raw, Post.parkDescriptors.sending),
        ])
      let process = try child.run()
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
    case .crashed(let slot, let process, let delay):
      logger.error(
        "child ended unasked", metadata: ["slot": "\(slot)", "pid": "\(process)", "retriesAfter": "\(delay)"])
    case .startTimedOut(let process):
      logger.error("child did not become ready", metadata: ["pid": "\(process)"])
    case .killed(let process):
      logger.warning("child did not end in time", metadata: ["pid": "\(process)"])
    case .halted(let process):
      logger.warning("child was stopped by a signal", metadata: ["pid": "\(process)"])
    case .reloadBegan(let generation):
      logger.notice("reload began", metadata: ["generation": "\(generation)"])
    case .reloadFinished(let generation):
      programs = programs.filter { $0.key == generation }
      logger.notice("reload finished", metadata: ["generation": "\(generation)"])
    case .reloadFailed(let generation):
      logger.error("reload failed: the old generation goes on", metadata: ["failed": "\(generation)"])
    case .count(let role, let count):
      logger.notice("count changed", metadata: ["role": "\(configuration.roles[role].name)", "count": "\(count)"])
    }
  }
}
