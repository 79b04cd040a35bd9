import Testing

@testable import FastCGIServer

/// A master without processes: it records the actions, and its time passes by calls.
struct Simulation {
  var pool: Pool
  var now = Instant(nanoseconds: 1)
  private(set) var actions: [Pool.Action] = []
  private var nextProcess: Int32 = 100
  /// Children of this generation cannot be spawned.
  var unspawnable: Int?

  init(_ roles: [ChildRole]) {
    pool = Pool(roles: roles, startTimeout: .seconds(30), stopTimeout: .seconds(20))
  }

  /// The actions that follow, those of the spawned children's events among them.
  @discardableResult mutating func send(_ event: Pool.Event) -> [Pool.Action] {
    actions = []
    var waiting = [event]
    while let next = waiting.first {
      waiting.removeFirst()
      for action in pool.handle(next, now: now) {
        actions.append(action)
        guard case .spawn(let slot, _, let generation) = action else { continue }
        if generation == unspawnable {
          waiting.append(.spawnFailed(slot: slot))
        } else {
          waiting.append(.spawned(slot: slot, process: nextProcess))
          nextProcess += 1
        }
      }
    }
    return actions
  }

  mutating func pass(_ duration: Duration) {
    now = now + duration
    send(.time)
  }

  private func processes(_ isWanted: (Pool.Child) -> Bool) -> [Int32] {
    pool.slots.compactMap(\.child).filter(isWanted).map(\.process).sorted()
  }

  var starting: [Int32] { processes { if case .starting = $0.phase { true } else { false } } }
  var serving: [Int32] { processes { $0.phase == .serving } }
  var leaving: [Int32] { processes { if case .leaving = $0.phase { true } else { false } } }

  func generations(_ processes: [Int32]) -> [Int] {
    processes.compactMap { pool.slot(of: $0) }.compactMap { pool.child(in: $0)?.generation }
  }

  /// Makes everything that starts ready.
  mutating func readyAll() {
    for process in starting { send(.ready(process: process)) }
  }

  /// Every child that was told to leave ends, every child that starts becomes ready, until there is none of either.
  mutating func runToEnd() {
    var left = 1000
    while left > 0, !starting.isEmpty || !leaving.isEmpty {
      left -= 1
      if let process = leaving.first { send(.ended(process: process, isClean: true)) }
      if let process = starting.first { send(.ready(process: process)) }
    }
    #expect(left > 0, "still changing after 1,000 steps")
  }

  /// `count` workers that serve, for longer than an early exit.
  static func working(_ count: Int, and others: [ChildRole] = []) -> Simulation {
    var simulation = Simulation([.workers(count, arguments: ["worker"])] + others)
    simulation.send(.time)
    simulation.readyAll()
    simulation.pass(.seconds(60))
    return simulation
  }
}

@Suite struct PoolTests {
  @Test func theStartSpawnsAllAndSaysWhenAllAreReady() {
    var simulation = Simulation([.workers(3, arguments: [])])
    #expect(
      simulation.send(.time) == [
        .spawn(slot: 0, role: 0, generation: 0), .spawn(slot: 1, role: 0, generation: 0),
        .spawn(slot: 2, role: 0, generation: 0),
      ])
    #expect(simulation.send(.ready(process: 100)).isEmpty)
    #expect(simulation.send(.ready(process: 101)).isEmpty)
    #expect(simulation.send(.ready(process: 102)) == [.note(.allReady)])
    #expect(simulation.pool.nextDeadline == nil)
  }

  // MARK: Exits

  @Test func aCrashedChildIsReplacedAtOnceInItsSlot() {
    var simulation = Simulation.working(2)
    #expect(
      simulation.send(.ended(process: 101, isClean: false)) == [
        .note(.crashed(slot: 1, process: 101, retriesAfter: .zero)), .spawn(slot: 1, role: 0, generation: 0),
      ])
  }

  @Test func aCrashAtStartIsTriedAgainEverMoreSlowly() {
    var simulation = Simulation([.workers(1, arguments: [])])
    simulation.send(.time)
    var delays: [Duration] = []
    for _ in 0..<10 {
      let process = simulation.starting[0]
      simulation.send(.ended(process: process, isClean: false))
      for case .note(.crashed(_, _, let delay)) in simulation.actions { delays.append(delay) }
      if delays.last != .zero {
        #expect(simulation.starting.isEmpty)
        // Another look at the clock changes nothing before the time has come.
        simulation.pass((delays.last ?? .zero) - .milliseconds(1))
        #expect(simulation.starting.isEmpty)
        simulation.pass(.milliseconds(1))
      }
      #expect(simulation.starting.count == 1)
    }
    #expect(
      delays
        == [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000].map { Duration.milliseconds($0) })
  }

  @Test func aLongRunResetsEarlyExits() {
    var simulation = Simulation([.workers(1, arguments: [])])
    simulation.send(.time)
    for _ in 0..<3 {
      simulation.send(.ended(process: simulation.starting[0], isClean: false))
      simulation.pass(.seconds(1))
    }
    simulation.readyAll()
    simulation.pass(.seconds(6))
    let actions = simulation.send(.ended(process: simulation.serving[0], isClean: false))
    #expect(actions.contains { if case .note(.crashed(_, _, .zero)) = $0 { true } else { false } })
  }

  @Test func everySlotHasItsOwnRetryDelay() {
    var simulation = Simulation([.workers(4, arguments: [])])
    simulation.send(.time)
    simulation.readyAll()
    for process in simulation.serving { simulation.send(.ended(process: process, isClean: false)) }
    #expect(simulation.starting.count == 4)
  }

  /// A worker that was told to end by a signal from outside did not crash; one that ends before it was ready did.
  @Test func aCleanEndIsNoCrash() {
    var simulation = Simulation([.workers(1, arguments: [])])
    simulation.send(.time)
    for _ in 0..<5 {
      simulation.readyAll()
      #expect(simulation.send(.ended(process: simulation.serving[0], isClean: true)).count == 1)
      #expect(simulation.starting.count == 1)
    }
    simulation.send(.ended(process: simulation.starting[0], isClean: true))
    simulation.send(.ended(process: simulation.starting[0], isClean: true))
    #expect(simulation.starting.isEmpty)
  }

  @Test func aStoppedChildIsKilledAndReplaced() {
    var simulation = Simulation.working(1)
    #expect(
      simulation.send(.halted(process: 100)) == [.note(.halted(process: 100)), .signal(process: 100, .kill)])
    simulation.send(.ended(process: 100, isClean: false))
    #expect(simulation.starting.count == 1)
  }

  @Test func aChildThatIsNeverReadyIsKilled() {
    var simulation = Simulation([.workers(1, arguments: [])])
    simulation.send(.time)
    simulation.pass(.seconds(29))
    #expect(simulation.actions.isEmpty)
    simulation.pass(.seconds(1))
    #expect(simulation.actions == [.note(.startTimedOut(process: 100)), .signal(process: 100, .kill)])
  }

  @Test func anUnknownProcessChangesNothing() {
    var simulation = Simulation.working(2)
    let before = simulation.pool.slots
    for event in [
      Pool.Event.ended(process: 1, isClean: false), .ready(process: 0), .wantsReplacement(process: 7),
      .halted(process: 9),
    ] {
      #expect(simulation.send(event).isEmpty)
    }
    #expect(simulation.pool.slots == before)
  }

  // MARK: Stopping

  @Test func aGracefulStopClosesFirstThenWaitsForEveryChild() {
    var simulation = Simulation.working(2)
    #expect(
      simulation.send(.stop) == [
        .closeListener, .order(process: 100, .stop), .order(process: 101, .stop),
      ])
    #expect(simulation.send(.stop).isEmpty)
    #expect(simulation.send(.ended(process: 100, isClean: true)).isEmpty)
    #expect(simulation.send(.ended(process: 101, isClean: false)) == [.finish])
  }

  @Test func whatDoesNotEndIsKilled() {
    var simulation = Simulation.working(1)
    simulation.send(.stop)
    simulation.pass(.seconds(19))
    #expect(simulation.actions.isEmpty)
    simulation.pass(.seconds(1))
    #expect(simulation.actions == [.note(.killed(process: 100)), .signal(process: 100, .kill)])
  }

  @Test(arguments: [false, true]) func aFastStopInterruptsThenKills(comesAfterGraceful: Bool) {
    var simulation = Simulation.working(1)
    if comesAfterGraceful { simulation.send(.stop) }
    simulation.send(.stopFast)
    #expect(simulation.actions.contains(.signal(process: 100, .interrupt)))
    #expect(simulation.actions.contains(.closeListener) == !comesAfterGraceful)
    simulation.pass(.seconds(1))
    #expect(simulation.actions.contains(.signal(process: 100, .kill)))
    #expect(simulation.send(.ended(process: 100, isClean: false)) == [.finish])
  }

  @Test func theLastRoleGoesLast() {
    var simulation = Simulation.working(2, and: [ChildRole(name: "last", arguments: [], stopsLast: true)])
    #expect(simulation.serving == [100, 101, 102])
    simulation.send(.stop)
    #expect(simulation.leaving == [100, 101])
    simulation.send(.ended(process: 100, isClean: true))
    #expect(simulation.send(.ended(process: 101, isClean: true)) == [.order(process: 102, .stop)])
    #expect(simulation.send(.ended(process: 102, isClean: true)) == [.finish])
  }

  @Test func nothingStartsWhileStopping() {
    var simulation = Simulation.working(2)
    simulation.send(.stop)
    for event in [Pool.Event.reload, .more, .fewer, .wantsReplacement(process: 100), .time] {
      #expect(simulation.send(event).isEmpty)
    }
    simulation.send(.ended(process: 100, isClean: false))
    #expect(simulation.starting.isEmpty)
    #expect(simulation.pool.nextDeadline != nil)
  }

  @Test func aStopFindsChildrenThatStart() {
    var simulation = Simulation([.workers(1, arguments: [])])
    simulation.send(.time)
    #expect(simulation.send(.stop) == [.closeListener, .order(process: 100, .stop)])
    #expect(simulation.send(.ready(process: 100)).isEmpty)
    #expect(simulation.send(.ended(process: 100, isClean: true)) == [.finish])
  }

  // MARK: Counts

  @Test func oneMoreAndOneLess() {
    var simulation = Simulation.working(2)
    #expect(simulation.send(.more) == [.note(.count(role: 0, 3)), .spawn(slot: 2, role: 0, generation: 0)])
    simulation.readyAll()
    #expect(simulation.send(.fewer) == [.note(.count(role: 0, 2)), .order(process: 102, .drain)])
    simulation.runToEnd()
    #expect(simulation.serving.count == 2)
  }

  @Test func oneWorkerStaysAndSingleRolesDoNotGrow() {
    var simulation = Simulation.working(1, and: [ChildRole(name: "single", arguments: [])])
    simulation.send(.fewer)
    #expect(simulation.leaving.isEmpty)
    simulation.send(.more)
    #expect(simulation.starting.count == 1)
    #expect(simulation.pool.counts == [2, 1])
  }
}
