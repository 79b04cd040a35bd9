import Foundation
import Testing

@testable import FastCGIServer

/// Work that may not take all workers of a pool.
@Suite(.timeLimit(.minutes(3))) struct ConcurrencyLimitTests {
  @Test(arguments: [(0, nil), (1, nil), (2, 1), (3, 2), (4, 3), (7, 6), (8, 6), (40, 30)] as [(Int, Int?)])
  func aQuarterIsLeftFree(workers: Int, permits: Int?) {
    #expect(ConcurrencyLimit.permits(workers: workers) == permits)
  }

  /// Requests at the limited work that last long, one for each permit.
  private func fill(_ pool: PoolProcess, permits: Int) throws -> [Peer] {
    let peers = try (0..<permits).map { _ in
      let peer = try pool.peer()
      peer.send(Peer.request("/limited/4000", keeps: true))
      return peer
    }
    #expect(eventually { (try? pool.peer().ask("/limited/0").status) == 503 })
    return peers
  }

  @Test func oneWorkerIsLeftForOthers() throws {
    let pool = try PoolProcess(workers: 4)
    let peers = try fill(pool, permits: 3)
    let start = ContinuousClock.now
    for _ in 0..<20 { #expect(try pool.peer().ask("/pid").status == 200) }
    // Above the limit a request is refused, the second time at once.
    for _ in 0..<20 { #expect(try pool.peer().ask("/limited/0").status == 503) }
    #expect(ContinuousClock.now - start < .milliseconds(1_000))
    for peer in peers { #expect(try peer.answer().status == 200) }
    #expect(eventually { (try? pool.peer().ask("/limited/0").status) == 200 })
  }

  @Test func whatIsLikelySlowLeavesRoomForTheRest() throws {
    let pool = try PoolProcess(workers: 4)
    let slow = try pool.peer()
    slow.send(Peer.request("/slow/3000", keeps: true))
    // Beside the one that answers this.
    #expect(eventually { (try? pool.peer().ask("/status").text.contains("\"busy\":2")) == true })
    #expect(try pool.peer().ask("/slow/0").status == 503)
    for _ in 0..<20 { #expect(try pool.peer().ask("/limited/0").status == 200) }
    #expect(try slow.answer().status == 200)
    #expect(eventually { (try? pool.peer().ask("/slow/0").status) == 200 })
  }

  @Test func whatGoesOnAsItShouldIsWaitedFor() throws {
    let pool = try PoolProcess(workers: 2)
    let peers = try (0..<8).map { _ in try pool.peer() }
    for peer in peers { peer.send(Peer.request("/limited/3")) }
    for peer in peers { #expect(try peer.answer().status == 200) }
  }

  @Test func aKilledWorkerReleasesItsPermit() throws {
    let pool = try PoolProcess(workers: 4)
    let peers = try fill(pool, permits: 3)
    let idle = Int32(try pool.peer().ask("/pid").text) ?? 0
    let holder = try #require(pool.workers.first { $0 != idle })
    kill(holder, SIGKILL)
    #expect(eventually { (try? pool.peer().ask("/limited/0").status) == 200 })
    #expect(peers.count { (try? $0.answer().status) == 200 } == 2)
  }

  @Test func aReloadMakesNoNewPermits() throws {
    let pool = try PoolProcess(workers: 4)
    let peers = try fill(pool, permits: 3)
    pool.signal(SIGHUP)
    #expect(eventually { pool.logText.contains("reload began") && pool.workers.count > 4 })
    #expect(try pool.peer().ask("/limited/0").status == 503)
    for peer in peers { #expect(try peer.answer().status == 200) }
    #expect(eventually { (try? pool.peer().ask("/limited/0").status) == 200 })
  }

  @Test func theLimitFollowsTheNumberOfWorkers() throws {
    let pool = try PoolProcess(workers: 4)
    for count in [3, 2] {
      pool.signal(SIGTTOU)
      #expect(eventually { pool.workers.count == count })
    }
    _ = try fill(pool, permits: 1)
  }

  @Test func aSingleWorkerHasNoLimit() throws {
    let pool = try PoolProcess(workers: 1)
    #expect(try pool.peer().ask("/limited/0").status == 200)
  }
}
