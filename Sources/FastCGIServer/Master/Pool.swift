/// The master's decisions as a state machine without I/O: events go in, actions come out.
///
/// Every child has a slot. After each event `reconcile` compares the children that there are with those that there should
/// be and takes the next steps from the one to the other; so a reload, a worker more, a crash and a stop are handled by
/// the same code, and may overlap.
struct Pool {
  enum Event: Equatable {
    /// The start, or time has passed: see `nextDeadline`.
    case time
    case spawned(slot: Int, process: Int32)
    case spawnFailed(slot: Int)
    case ready(process: Int32)
    /// It has reached its limit of requests or memory.
    case wantsReplacement(process: Int32)
    /// `isClean`: it ended by itself, with exit code 0.
    case ended(process: Int32, isClean: Bool)
    /// Stopped by a signal: it would never finish the requests that it has.
    case halted(process: Int32)
    case stop
    case stopFast
    case reload
    /// TTIN: one child more of each scalable role; TTOU: one less.
    case more, fewer
  }

  enum Action: Equatable {
    case spawn(slot: Int, role: Int, generation: Int)
    case order(process: Int32, ControlChannel.Order)
    case signal(process: Int32, Ending)
    /// From here on no new connections come to this pool.
    case closeListener
    case note(Note)
    /// All children have ended.
    case finish
  }

  enum Ending: Equatable {
    /// SIGINT: after the request in hand.
    case interrupt
    case kill
  }

  /// Worth a line in the log. `reloadBegan` comes before the first `spawn` of its generation.
  enum Note: Equatable {
    /// All children of the start are ready.
    case allReady
    case crashed(slot: Int, process: Int32, retriesAfter: Duration)
    case startTimedOut(process: Int32)
    case killed(process: Int32)
    case halted(process: Int32)
    case reloadBegan(generation: Int)
    case reloadFinished(generation: Int)
    case reloadFailed(generation: Int)
    case count(role: Int, Int)
  }

  struct Child: Equatable {
    enum Phase: Equatable {
      /// `Action.spawn` was returned: `serving` or `starting` after `Event.spawned`, gone after `spawnFailed`.
      case pending
      /// `serving` after `Event.ready`; killed at its deadline.
      case starting(until: Instant)
      /// `leaving` when it is ordered to drain or to stop.
      case serving
      /// Gone after `Event.ended`; killed at its deadline.
      case leaving(until: Instant)
    }

    var role: Int
    var generation: Int
    var phase: Phase
    var process: Int32 = 0
    var startedAt: Instant
    var wantsReplacement = false
  }

  struct Slot: Equatable {
    var child: Child?
    /// Exits in a row that came soon after the start.
    var earlyExits = 0
    /// Set while the slot is reserved for its role, which waits to try again.
    var retry: Retry?
  }

  struct Retry: Equatable {
    var role: Int
    var at: Instant
  }

  enum Phase: Equatable {
    case running
    case stopping
  }

  /// A child that ends sooner than this counts as a crash at start.
  static let earlyExit = Duration.seconds(5)
  /// The first early exit is replaced at once, the next after this, then doubling.
  static let initialRetryDelay = Duration.milliseconds(100)
  static let maximumRetryDelay = Duration.seconds(5)
  /// Between a fast stop and SIGKILL.
  static let fastStop = Duration.seconds(1)
  static let maximumChildren = 1024

  let roles: [ChildRole]
  let startTimeout: Duration
  let stopTimeout: Duration
  private(set) var counts: [Int]
  var slots: [Slot] = []
  private(set) var phase = Phase.running
  private(set) var generation = 0
  /// During a reload of which no child has been ready yet: the generation to go back to.
  private(set) var previousGeneration: Int?
  var isReloading = false
  /// Numbers are not used twice, so that a child left over from a failed reload is known as such.
  private var newestGeneration = 0
  private var hasBeenReady = false

  init(roles: [ChildRole], startTimeout: Duration, stopTimeout: Duration) {
    self.roles = roles
    self.startTimeout = startTimeout
    self.stopTimeout = stopTimeout
    counts = roles.map(\.count)
  }

  /// When `Event.time` must be sent next, if no other event comes before.
  var nextDeadline: Instant? {
    var next: Instant?
    for slot in slots {
      var deadline = slot.retry?.at
      switch slot.child?.phase {
      case .starting(let until), .leaving(let until): deadline = until
      case .pending, .serving, nil: break
      }
      if let deadline { next = next.map { min($0, deadline) } ?? deadline }
    }
    return next
  }

  mutating func handle(_ event: Event, now: Instant) -> [Action] {
    var actions: [Action] = []
    switch event {
    case .time:
      expire(now, &actions)
    case .spawned(let slot, let process):
      spawned(slot, process, now)
    case .spawnFailed(let slot):
      exited(slot, isClean: false, now, &actions)
    case .ready(let process):
      if let slot = slot(of: process), case .starting = slots[slot].child?.phase { ready(slot, &actions) }
    case .wantsReplacement(let process):
      if let slot = slot(of: process) { slots[slot].child?.wantsReplacement = true }
    case .ended(let process, let isClean):
      if let slot = slot(of: process) { exited(slot, isClean: isClean, now, &actions) }
    case .halted(let process):
      if slot(of: process) != nil {
        actions += [.note(.halted(process: process)), .signal(process: process, .kill)]
      }
    case .stop:
      stop(&actions)
    case .stopFast:
      stop(&actions)
      stopFast(now, &actions)
    case .reload:
      reload(&actions)
    case .more:
      changeCounts(by: 1, &actions)
    case .fewer:
      changeCounts(by: -1, &actions)
    }
    reconcile(now, &actions)
    return actions
  }

  func child(in slot: Int) -> Child? { slots[slot].child }

  func slot(of process: Int32) -> Int? {
    slots.firstIndex { $0.child?.process == process && process != 0 }
  }
}

// MARK: What events change

extension Pool {
  private mutating func spawned(_ slot: Int, _ process: Int32, _ now: Instant) {
    guard var child = slots[slot].child else { return }
    child.process = process
    child.startedAt = now
    child.phase = .starting(until: now + startTimeout)
    slots[slot].child = child
    if !roles[child.role].announcesReady {
      var ignored: [Action] = []
      ready(slot, &ignored)
    }
  }

  private mutating func ready(_ slot: Int, _ actions: inout [Action]) {
    slots[slot].child?.phase = .serving
    if slots[slot].child?.generation == generation, previousGeneration != nil { previousGeneration = nil }
    if hasBeenReady { return }
    let serving = slots.count { $0.child?.phase == .serving }
    if serving >= counts.reduce(0, +) {
      hasBeenReady = true
      actions.append(.note(.allReady))
    }
  }

  private mutating func exited(_ slot: Int, isClean: Bool, _ now: Instant, _ actions: inout [Action]) {
    guard let child = slots[slot].child else { return }
    slots[slot].child = nil
    if case .leaving = child.phase { return }
    if child.generation == generation, let previous = previousGeneration, child.phase != .serving {
      // The new generation failed before it was ever ready: the old one stays, and nothing is tried again.
      actions.append(.note(.reloadFailed(generation: generation)))
      generation = previous
      previousGeneration = nil
      isReloading = false
      return
    }
    if phase == .stopping { return }
    // A child that served and then ended with code 0 was told to end, by a signal from outside.
    if isClean, child.phase == .serving { return }
    var delay = Duration.zero
    if child.phase != .serving || now - child.startedAt < Self.earlyExit {
      slots[slot].earlyExits += 1
      delay = Self.retryDelay(afterEarlyExits: slots[slot].earlyExits)
    } else {
      slots[slot].earlyExits = 0
    }
    slots[slot].retry = Retry(role: child.role, at: now + delay)
    actions.append(.note(.crashed(slot: slot, process: child.process, retriesAfter: delay)))
  }

  static func retryDelay(afterEarlyExits count: Int) -> Duration {
    if count <= 1 { return .zero }
    return count > 8 ? maximumRetryDelay : min(maximumRetryDelay, initialRetryDelay * (1 << (count - 2)))
  }

  private mutating func expire(_ now: Instant, _ actions: inout [Action]) {
    for slot in slots.indices {
      guard let child = slots[slot].child else { continue }
      switch child.phase {
      case .starting(let until) where until <= now:
        // `ended` then treats it like any child that failed to start.
        slots[slot].child?.phase = .starting(until: now + Self.maximumRetryDelay)
        actions += [.note(.startTimedOut(process: child.process)), .signal(process: child.process, .kill)]
      case .leaving(let until) where until <= now:
        slots[slot].child?.phase = .leaving(until: now + Self.maximumRetryDelay)
        actions += [.note(.killed(process: child.process)), .signal(process: child.process, .kill)]
      default:
        break
      }
    }
  }

  private mutating func stop(_ actions: inout [Action]) {
    if phase == .stopping { return }
    phase = .stopping
    previousGeneration = nil
    isReloading = false
    for slot in slots.indices { slots[slot].retry = nil }
    actions.append(.closeListener)
  }

  private mutating func stopFast(_ now: Instant, _ actions: inout [Action]) {
    for slot in slots.indices {
      guard let process = slots[slot].child?.process, process != 0 else { continue }
      slots[slot].child?.phase = .leaving(until: now + Self.fastStop)
      actions.append(.signal(process: process, .interrupt))
    }
  }

  private mutating func reload(_ actions: inout [Action]) {
    if phase == .stopping { return }
    // A reload during a reload: an unproved generation never served, and the new one takes its place.
    if previousGeneration == nil { previousGeneration = generation }
    newestGeneration += 1
    generation = newestGeneration
    // Without a role that starts the new child first, no child can prove the generation before the old ones go.
    if !roles.indices.contains(where: { roles[$0].replacement == .newFirst && counts[$0] > 0 }) {
      previousGeneration = nil
    }
    isReloading = true
    for slot in slots.indices { slots[slot].earlyExits = 0 }
    actions.append(.note(.reloadBegan(generation: generation)))
  }

  private mutating func changeCounts(by change: Int, _ actions: inout [Action]) {
    if phase == .stopping { return }
    for role in roles.indices where roles[role].isScalable {
      counts[role] = min(max(counts[role] + change, 1), Self.maximumChildren)
      actions.append(.note(.count(role: role, counts[role])))
    }
  }
}
