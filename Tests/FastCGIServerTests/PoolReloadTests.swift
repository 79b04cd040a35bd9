import TestSupport
import Testing

@testable import FastCGIServer

@Suite struct PoolReloadTests {
  @Test func oneByOneNewReadyBeforeOldDrains() {
    var simulation = Simulation.working(2)
    #expect(
      simulation.send(.reload) == [.note(.reloadBegan(generation: 1)), .spawn(slot: 2, role: 0, generation: 1)])
    #expect(simulation.serving == [100, 101])
    #expect(
      simulation.send(.ready(process: 102)) == [
        .order(process: 100, .drain), .spawn(slot: 3, role: 0, generation: 1),
      ])
    #expect(simulation.serving == [101, 102])
    #expect(simulation.send(.ready(process: 103)) == [.order(process: 101, .drain)])
    simulation.send(.ended(process: 100, isClean: true))
    #expect(simulation.send(.ended(process: 101, isClean: true)) == [.note(.reloadFinished(generation: 1))])
    #expect(simulation.generations(simulation.serving) == [1, 1])
    #expect(simulation.pool.previousGeneration == nil)
  }

  @Test func thereAreNeverFewerServingThanConfigured() {
    var simulation = Simulation.working(5)
    simulation.send(.reload)
    for _ in 0..<100 where !simulation.starting.isEmpty {
      #expect(simulation.serving.count >= 5)
      #expect(simulation.serving.count + simulation.starting.count <= 6)
      simulation.send(.ready(process: simulation.starting[0]))
    }
    #expect(simulation.generations(simulation.serving) == [1, 1, 1, 1, 1])
    #expect(simulation.leaving.count == 5)
  }

  @Test(arguments: ["crashes", "is never ready", "cannot be spawned"])
  func theOldGenerationStaysWhenTheNewFails(how: String) {
    var simulation = Simulation.working(3)
    if how == "cannot be spawned" { simulation.unspawnable = 1 }
    simulation.send(.reload)
    if how == "is never ready" {
      simulation.pass(.seconds(30))
      #expect(simulation.actions.contains(.signal(process: 103, .kill)))
    }
    if how != "cannot be spawned" { simulation.send(.ended(process: 103, isClean: false)) }
    #expect(simulation.actions.contains(.note(.reloadFailed(generation: 1))))
    simulation.pass(.seconds(60))
    #expect(simulation.serving == [100, 101, 102])
    #expect(simulation.starting.isEmpty)
    // A child that ends later is replaced from the old generation.
    simulation.send(.ended(process: 100, isClean: false))
    #expect(simulation.generations(simulation.starting) == [0])
    // A repaired configuration is a generation of its own.
    simulation.unspawnable = nil
    simulation.readyAll()
    simulation.send(.reload)
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [2, 2, 2])
  }

  @Test func anExitBeforeTheNewGenerationIsProvedIsReplacedFromTheOld() {
    var simulation = Simulation.working(2)
    simulation.send(.reload)
    simulation.send(.ended(process: 101, isClean: false))
    #expect(simulation.generations(simulation.starting).sorted() == [0, 1])
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [1, 1])
  }

  @Test func aCrashAfterTheFirstWasReadyOnlyDelays() {
    var simulation = Simulation.working(2)
    simulation.send(.reload)
    simulation.send(.ready(process: 102))
    simulation.send(.ended(process: 103, isClean: false))
    simulation.send(.ended(process: 104, isClean: false))
    #expect(simulation.serving.count == 2)
    #expect(!simulation.actions.contains(.note(.reloadFailed(generation: 1))))
    simulation.pass(.seconds(1))
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [1, 1])
  }

  @Test func reloadsOnTopOfEachOtherEndAtTheNewest() {
    var simulation = Simulation.working(2)
    for _ in 0..<3 { simulation.send(.reload) }
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [3, 3])
    #expect(simulation.serving.count == 2)
  }

  @Test func aChildThatWantsReplacementGoesOnceItsSuccessorIsReady() {
    var simulation = Simulation.working(3)
    simulation.send(.wantsReplacement(process: 101))
    #expect(simulation.starting.count == 1)
    // The second one waits for its turn.
    simulation.send(.wantsReplacement(process: 102))
    #expect(simulation.starting.count == 1)
    #expect(simulation.leaving.isEmpty)
    simulation.send(.ready(process: 103))
    #expect(simulation.leaving.count == 1)
    simulation.runToEnd()
    #expect(simulation.serving.count == 3)
    #expect(!simulation.serving.contains(101) && !simulation.serving.contains(102))
  }

  @Test func ofASingleChildThereAreNeverTwo() {
    let single = ChildRole(name: "single", arguments: [], replacement: .oldFirst)
    var simulation = Simulation.working(1, and: [single])
    simulation.send(.reload)
    #expect(simulation.leaving.isEmpty, "not before the new generation has proved itself")
    simulation.send(.ready(process: 102))
    #expect(simulation.leaving == [100, 101])
    #expect(simulation.starting.isEmpty)
    simulation.send(.ended(process: 101, isClean: true))
    #expect(simulation.starting.count == 1)
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [1, 1])
  }

  @Test func aPoolOfSingleChildrenReloads() {
    var simulation = Simulation([ChildRole(name: "single", arguments: [], replacement: .oldFirst)])
    simulation.send(.time)
    simulation.readyAll()
    simulation.send(.reload)
    simulation.runToEnd()
    #expect(simulation.generations(simulation.serving) == [1])
  }

  /// Whatever events come in whatever order, the pool ends with the children that it should have.
  @Test(arguments: 0..<200) func everyHistoryEndsWell(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let single = ChildRole(name: "single", arguments: [], replacement: .oldFirst, stopsLast: true)
    var simulation = Simulation.working(3, and: [single])
    for _ in 0..<60 {
      let known = simulation.starting + simulation.serving + simulation.leaving
      let process = known.randomElement(using: &random) ?? 1
      switch Int.random(in: 0..<12, using: &random) {
      case 0: simulation.send(.reload)
      case 1: simulation.send(.more)
      case 2: simulation.send(.fewer)
      case 3: simulation.send(.wantsReplacement(process: process))
      case 4, 5: simulation.send(.ended(process: process, isClean: Bool.random(using: &random)))
      case 6, 7, 8: if let first = simulation.starting.first { simulation.send(.ready(process: first)) }
      case 9: if let first = simulation.leaving.first { simulation.send(.ended(process: first, isClean: true)) }
      default: simulation.pass(.milliseconds(Int.random(in: 0..<3000, using: &random)))
      }
      let singles = simulation.pool.slots.count { $0.child?.role == 1 }
      #expect(singles <= 1)
    }
    for _ in 0..<20 {
      simulation.runToEnd()
      simulation.pass(.seconds(6))
    }
    #expect(simulation.serving.count == simulation.pool.counts.reduce(0, +))
    #expect(Set(simulation.generations(simulation.serving)).count == 1)
    simulation.send(.stop)
    for _ in 0..<100 where !simulation.leaving.isEmpty {
      simulation.send(.ended(process: simulation.leaving[0], isClean: true))
    }
    #expect(simulation.actions.last == .finish)
  }
}
