import CartDomain
import Foundation
import TestSupport
import Testing

@testable import CartStores

@Suite("Redis against the reference model", .requiresRedis, .requiresPostgres) struct ModelTests {
  /// `CART_TEST_SEQUENCES` sets how many runs there are, `CART_TEST_SEED` the first seed.
  @Test("Random sequences of commands give the same answers and the same carts")
  func sequences() throws {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["CART_TEST_SEQUENCES"].flatMap { UInt64($0) } ?? 300
    let first = environment["CART_TEST_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1 << 32)
    let run = try ModelRun()
    for seed in first..<first + count {
      var random = SeededRandom(seed: seed)
      var steps = ModelStep.skus.dropLast().map { ModelStep.sell($0, ModelStep.terms(&random)) }
      for _ in 0..<40 { steps.append(.random(&random)) }
      guard try run.difference(steps) != nil else { continue }
      let shrunk = try run.shrunk(steps)
      let difference = try run.difference(shrunk) ?? "gone after shrinking"
      Issue.record("CART_TEST_SEED=\(seed)\n\(shrunk.map(\.description).joined(separator: "\n"))\n\(difference)")
      return
    }
  }
}
