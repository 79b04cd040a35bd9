import TestSupport
import Testing

@testable import FastCGIServer

/// A worker without sockets: what it does with connections, as events and actions.
@Suite struct ConnectionHandoffTests {
  private var handoff = ConnectionHandoff(hasQueue: true)

  private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  private mutating func endTurn(_ milliseconds: Int64, isListenQueueEmpty: Bool = true) -> ConnectionHandoff.Action? {
    handoff.handle(.turnEnded(at(milliseconds), isListenQueueEmpty: isListenQueueEmpty))
  }

  private mutating func wake(newConnection: Bool = false, queuedConnection: Bool = false) -> ConnectionHandoff.Action? {
    handoff.handle(.woken(newConnection: newConnection, queuedConnection: queuedConnection))
  }

  // MARK: Turns

  @Test mutating func theQueueComesBeforeNewConnectionsAndThoseBeforeHeldOnes() {
    #expect(wake(newConnection: true, queuedConnection: true) == .takeQueued)
    #expect(handoff.handle(.taken) == .accept)
    #expect(handoff.handle(.taken) == .receive)
    #expect(handoff.turn == .receiving)
    #expect(wake(newConnection: true) == .accept)
    #expect(wake(queuedConnection: true) == .takeQueued)
    #expect(handoff.handle(.taken) == .receive)
    #expect(wake() == .receive)
  }

  @Test mutating func aTurnServesOneRequest() {
    #expect(wake(newConnection: true) == .accept)
    #expect(handoff.handle(.requestBegan) == .handOff(newConnection: false))
    #expect(handoff.handle(.taken) == nil)
    #expect(wake() == .receive)
    #expect(handoff.handle(.requestBegan) == .handOff(newConnection: false))
    #expect(handoff.turn == .served)
  }

  /// The listening socket has woken this worker alone.
  @Test mutating func aNewConnectionDoesNotWaitBehindAQueuedRequest() {
    #expect(wake(newConnection: true, queuedConnection: true) == .takeQueued)
    #expect(handoff.handle(.requestBegan) == .handOff(newConnection: true))
    #expect(handoff.handle(.taken) == nil)
  }

  @Test func withoutOthersNoConnectionIsKept() {
    #expect(handoff.mayKeepConnections)
    #expect(!ConnectionHandoff(hasQueue: false).mayKeepConnections)
  }

  // MARK: Exhaustion

  @Test mutating func anExhaustedWorkerListensAgainLater() {
    _ = wake(newConnection: true)
    #expect(handoff.handle(.exhausted(at(1_000))) == .stopListening(handsOff: true))
    #expect(!handoff.mayKeepConnections && !handoff.isSteady)
    #expect(handoff.handle(.stoppedListening(at(1_000))) == .receive)
    #expect(handoff.nextDeadline == at(1_100))
    #expect(endTurn(1_099) == nil)
    #expect(wake(newConnection: true, queuedConnection: true) == .receive)
    #expect(endTurn(1_100) == .listen)
    // It failed: the next turn tries again.
    #expect(endTurn(1_101) == .listen)
    #expect(handoff.handle(.listening) == nil)
    #expect(handoff.isSteady && handoff.nextDeadline == nil)
  }

  // MARK: Draining

  @Test mutating func aDrainingWorkerHandsOffAndEnds() {
    #expect(handoff.handle(.order(.drain)) == .enter(.draining))
    #expect(handoff.handle(.order(.drain)) == nil)
    #expect(!handoff.mayKeepConnections)
    // What was reported in this turn is still taken; a request is served with nothing handed off before it.
    #expect(wake(newConnection: true) == .accept)
    #expect(handoff.handle(.requestBegan) == nil)
    #expect(handoff.handle(.taken) == nil)
    #expect(endTurn(0) == .stopListening(handsOff: true))
    #expect(handoff.handle(.stoppedListening(at(0))) == .handOffIdle)
    #expect(handoff.handle(.connectionsLeft(2)) == nil)
    #expect(wake() == .receive)
    #expect(endTurn(10) == .handOffIdle)
    #expect(handoff.handle(.connectionsLeft(0)) == .enter(.stopped))
    #expect(handoff.mode == .ended)
  }

  @Test mutating func aPausedWorkerDrainsWithoutListening() {
    _ = wake(newConnection: true)
    _ = handoff.handle(.exhausted(at(0)))
    _ = handoff.handle(.stoppedListening(at(0)))
    _ = handoff.handle(.order(.drain))
    #expect(endTurn(200) == .handOffIdle)
    #expect(handoff.nextDeadline == nil)
  }

  // MARK: Stopping

  @Test mutating func aStoppingWorkerAcceptsUntilTheListenQueueIsEmpty() {
    #expect(handoff.handle(.order(.stop)) == .enter(.draining))
    #expect(handoff.handle(.order(.stop)) == nil)
    #expect(endTurn(0, isListenQueueEmpty: false) == nil)
    #expect(wake(newConnection: true) == .accept)
    #expect(handoff.handle(.taken) == .receive)
    #expect(endTurn(100) == .stopListening(handsOff: false))
    #expect(handoff.handle(.stoppedListening(at(100))) == .closeIdle(includingNew: false))
    #expect(handoff.handle(.connectionsLeft(1)) == nil)
    #expect(endTurn(199) == .closeIdle(includingNew: false))
    #expect(endTurn(200) == .closeIdle(includingNew: true))
    #expect(handoff.handle(.connectionsLeft(0)) == .enter(.stopped))
  }

  @Test mutating func newConnectionsDoNotKeepAStoppingWorker() {
    _ = handoff.handle(.order(.stop))
    #expect(endTurn(0, isListenQueueEmpty: false) == nil)
    #expect(endTurn(999, isListenQueueEmpty: false) == nil)
    #expect(endTurn(1_000, isListenQueueEmpty: false) == .stopListening(handsOff: false))
    #expect(handoff.handle(.stoppedListening(at(1_000))) == .closeIdle(includingNew: true))
  }

  /// Other workers stop as well: what waits would be lost in the queue.
  @Test mutating func anExhaustedStoppingWorkerHandsNothingOff() {
    _ = handoff.handle(.order(.stop))
    _ = wake(newConnection: true)
    #expect(handoff.handle(.exhausted(at(0))) == .stopListening(handsOff: false))
    #expect(handoff.handle(.stoppedListening(at(0))) == .receive)
    #expect(endTurn(0, isListenQueueEmpty: false) == .closeIdle(includingNew: false))
  }

  @Test mutating func aDrainingWorkerCanBeStoppedAndNotTheOtherWayRound() {
    _ = handoff.handle(.order(.drain))
    #expect(handoff.handle(.order(.stop)) == .enter(.draining))
    #expect(handoff.handle(.order(.drain)) == nil)
    #expect(handoff.mode == .stopping(since: nil))
  }

  // MARK: Signals

  @Test(arguments: [true, false]) func aSignalToEndDrainsIfThereAreOthers(hasQueue: Bool) {
    var handoff = ConnectionHandoff(hasQueue: hasQueue)
    #expect(handoff.handle(.terminate) == .enter(.draining))
    #expect(handoff.mode == (hasQueue ? .draining : .stopping(since: nil)))
    #expect(handoff.handle(.terminate) == nil)
  }

  @Test mutating func nothingFollowsTheEnd() {
    #expect(handoff.handle(.interrupt) == .enter(.stopped))
    for event in [
      ConnectionHandoff.Event.woken(newConnection: true, queuedConnection: true), .order(.drain), .order(.stop),
      .terminate, .interrupt, .connectionsLeft(0), .turnEnded(at(0), isListenQueueEmpty: true),
    ] {
      #expect(handoff.handle(event) == nil)
    }
    #expect(handoff.mode == .ended)
  }

  /// Whatever comes in whatever order, a worker that is told to end ends, and takes nothing while it does not listen.
  @Test(arguments: 0..<200) func everyWorkerEnds(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var worker = SimulatedWorker(hasQueue: Bool.random(using: &random))
    for _ in 0..<200 {
      switch Int.random(in: 0..<40, using: &random) {
      case 0: worker.handle(.order([.drain, .stop, .reopenLogs].randomElement(using: &random) ?? .stop), &random)
      case 1: worker.handle(.terminate, &random)
      default: worker.turn(&random)
      }
    }
    worker.handle(.order(.stop), &random)
    for _ in 0..<1_000 where worker.handoff.mode != .ended { worker.turn(&random) }
    #expect(worker.handoff.mode == .ended && !worker.isListening)
  }
}

/// Performs the actions on numbers.
private struct SimulatedWorker {
  var handoff: ConnectionHandoff
  var isListening = true
  private var connections = 0
  private var now = Instant(nanoseconds: 1)

  init(hasQueue: Bool) { handoff = ConnectionHandoff(hasQueue: hasQueue) }

  mutating func turn(_ random: inout SeededRandom) {
    now = now + .milliseconds(Int.random(in: 0..<30, using: &random))
    let hasQueued = isListening && handoff.hasQueue && Bool.random(using: &random)
    handle(.woken(newConnection: isListening && Bool.random(using: &random), queuedConnection: hasQueued), &random)
    if !handoff.isSteady {
      handle(.turnEnded(now, isListenQueueEmpty: Bool.random(using: &random)), &random)
    }
  }

  mutating func handle(_ event: ConnectionHandoff.Event, _ random: inout SeededRandom) {
    var next: ConnectionHandoff.Event? = event
    while let event = next, let action = handoff.handle(event) { next = perform(action, &random) }
  }

  private mutating func perform(
    _ action: ConnectionHandoff.Action, _ random: inout SeededRandom
  ) -> ConnectionHandoff.Event? {
    switch action {
    case .takeQueued, .accept:
      #expect(isListening)
      if action == .accept, Int.random(in: 0..<5, using: &random) == 0 { return .exhausted(now) }
      connections += 1
      if Bool.random(using: &random) { handle(.requestBegan, &random) }
      return .taken
    case .receive:
      #expect(handoff.turn == .receiving)
      if Bool.random(using: &random) { handle(.requestBegan, &random) }
      return nil
    case .handOff:
      #expect(handoff.isServing)
      return nil
    case .listen:
      #expect(!isListening)
      isListening = Int.random(in: 0..<3, using: &random) > 0
      return isListening ? .listening : nil
    case .stopListening:
      #expect(isListening)
      isListening = false
      return .stoppedListening(now)
    case .handOffIdle, .closeIdle:
      #expect(!isListening)
      connections = max(0, connections - Int.random(in: 0..<3, using: &random))
      return .connectionsLeft(connections)
    case .enter:
      return nil
    }
  }
}
