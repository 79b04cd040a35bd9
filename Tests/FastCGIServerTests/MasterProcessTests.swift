import Foundation
import Testing

@testable import FastCGIServer

/// The life of a pool, as processes.
@Suite(.timeLimit(.minutes(3))) struct MasterProcessTests {
  /// A request under way on a worker: its connection and the worker's process.
  private func occupy(_ pool: PoolProcess, milliseconds: Int = 400) throws -> Peer {
    let peer = try pool.peer()
    peer.send(Peer.request("/sleep/\(milliseconds)", keeps: true))
    usleep(50_000)
    return peer
  }

  @Test func aKilledIdleWorkerIsReplacedSoon() throws {
    let pool = try PoolProcess(workers: 2)
    let victim = pool.workers[0]
    let start = ContinuousClock.now
    kill(victim, SIGKILL)
    #expect(eventually { pool.workers.count == 2 && !pool.workers.contains(victim) })
    #expect(ContinuousClock.now - start < .milliseconds(200))
    for _ in 0..<10 { #expect(try pool.peer().ask("/pid").status == 200) }
  }

  @Test func aWorkerKilledInARequestCostsThatRequest() throws {
    let pool = try PoolProcess(workers: 1)
    let victim = pool.workers[0]
    let peer = try occupy(pool)
    let waiting = try pool.peer()
    waiting.send(Peer.request("/pid"))
    kill(victim, SIGKILL)
    #expect(throws: Peer.Failure.self) { try peer.answer() }
    #expect(try waiting.answer().status == 200)
    #expect(pool.workers.count == 1 && pool.workers[0] != victim)
  }

  @Test func aCrashInTheApplicationCostsThatRequest() throws {
    let pool = try PoolProcess(workers: 2)
    #expect(throws: Peer.Failure.self) { try pool.peer().ask("/crash") }
    #expect(try pool.peer().ask("/pid").status == 200)
    #expect(eventually { pool.workers.count == 2 })
  }

  @Test func aStoppedWorkerIsReplaced() throws {
    let pool = try PoolProcess(workers: 1)
    let victim = pool.workers[0]
    kill(victim, SIGSTOP)
    #expect(try pool.peer().ask("/pid").text != "\(victim)")
    #expect(!isAlive(victim))
  }

  @Test(arguments: [SIGTERM, SIGQUIT]) func aGracefulStopFinishesWhatHasCome(signal: Int32) throws {
    let pool = try PoolProcess(workers: 1)
    let inHand = try occupy(pool)
    let queued = try (0..<5).map { _ in try pool.peer() }
    for peer in queued { peer.send(Peer.request("/pid")) }
    pool.signal(signal)
    #expect(try inHand.answer().status == 200)
    for peer in queued { #expect(try peer.answer().status == 200) }
    #expect(pool.end() == 0)
    #expect(!FileManager.default.fileExists(atPath: pool.socket))
  }

  @Test func aFastStopIsFast() throws {
    let pool = try PoolProcess(workers: 2)
    let peer = try occupy(pool, milliseconds: 8000)
    let start = ContinuousClock.now
    pool.signal(SIGINT)
    #expect(pool.end() == 0)
    #expect(ContinuousClock.now - start < .seconds(3))
    #expect(throws: Peer.Failure.self) { try peer.answer() }
  }

  @Test func workersOutliveAKilledMasterByTheirRequestOnly() throws {
    let pool = try PoolProcess(workers: 2)
    let workers = pool.workers
    let peer = try occupy(pool)
    pool.signal(SIGKILL)
    #expect(try peer.answer().status == 200)
    #expect(eventually { workers.allSatisfy { !isAlive($0) } })
    // What it left behind does not keep a new one out.
    let again = Process()
    again.executableURL = PoolProcess.program
    again.arguments = ["master", "unix:\(pool.socket)", "1"]
    again.standardError = FileHandle.nullDevice
    try again.run()
    defer { again.killIfRunning() }
    #expect(eventually { (try? pool.peer().ask("/pid").status) == 200 })
    again.terminate()
    again.waitUntilExit()
    #expect(again.terminationStatus == 0)
  }

  @Test func aLiveSocketIsNotTaken() throws {
    let pool = try PoolProcess()
    let second = Process()
    second.executableURL = PoolProcess.program
    second.arguments = ["master", "unix:\(pool.socket)", "1"]
    second.standardError = FileHandle.nullDevice
    second.standardOutput = FileHandle.nullDevice
    try second.run()
    second.waitUntilExit()
    #expect(second.terminationStatus == 1)
    #expect(try pool.peer().ask("/pid").text == "\(pool.workers[0])")
  }

  // MARK: Keep-alive

  /// Connections that are kept. One after the other: none is kept while another one waits to be accepted.
  private func idlePeers(_ count: Int, _ pool: PoolProcess) throws -> [Peer] {
    try (0..<count).map { _ in
      let peer = try pool.peer()
      #expect(try peer.ask("/pid", keeps: true).status == 200)
      #expect(try peer.isKept())
      return peer
    }
  }

  @Test func anIdleConnectionNeverWaitsBehindARequest() throws {
    let pool = try PoolProcess(workers: 2)
    let peers = try idlePeers(6, pool)
    peers[0].send(Peer.request("/sleep/1000", keeps: true))
    usleep(50_000)
    let start = ContinuousClock.now
    for peer in peers[1...] { #expect(try peer.ask("/pid", keeps: true).status == 200) }
    #expect(ContinuousClock.now - start < .milliseconds(500))
    #expect(try peers[0].answer().status == 200)
  }

  /// The full one may have been the only one that was woken.
  @Test func aFullWorkerLeavesNewConnectionsToOthers() throws {
    let pool = try PoolProcess(workers: 2, connections: 1)
    let silent = try pool.peer()
    usleep(50_000)
    let start = ContinuousClock.now
    for _ in 0..<20 { #expect(try pool.peer().ask("/pid").status == 200) }
    #expect(ContinuousClock.now - start < .seconds(2))
    _ = silent
  }

  @Test func whenSomebodyWaitsAConnectionIsNotKept() throws {
    let pool = try PoolProcess(workers: 1)
    let first = try occupy(pool)
    let second = try pool.peer()
    second.send(Peer.request("/pid", keeps: true))
    #expect(try first.answer().status == 200)
    let marker = try first.record()
    #expect(marker.type == 11 && marker.id == 0 && marker.content.count == 8)
    #expect(try first.receive().isEmpty)
    #expect(try second.answer().status == 200)
    #expect(try second.isKept())
  }

  @Test func anIdleConnectionOutlivesTheWorkersThatHeldIt() throws {
    let pool = try PoolProcess(workers: 2)
    let peers = try idlePeers(5, pool)
    let before = pool.workers
    for generation in 1...3 {
      pool.signal(SIGHUP)
      try pool.waitFor("generation=\(generation) [FastCGIServer] reload finished")
      #expect(Set(pool.workers).isDisjoint(with: before))
      for peer in peers { #expect(try peer.ask("/echo", body: [9], keeps: true).body == [9]) }
    }
    #expect(pool.workers.count == 2)
  }

  // MARK: Reload and recycling

  /// Clients that keep their connections as a web server does; the number of answers, or the failure of one.
  private func load(_ pool: PoolProcess, clients: Int, until isDone: @escaping @Sendable () -> Bool) throws -> Int {
    let results = Results()
    let socket = pool.socket
    let group = DispatchGroup()
    for client in 0..<clients {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        let body = [UInt8](repeating: UInt8(client), count: 500)
        var peer: Peer?
        while !isDone() {
          do {
            let current = try peer ?? Peer(socket)
            let answer = try current.ask("/echo", body: body, keeps: true)
            results.add(answer.body == body)
            // nginx does not use a connection again on which more came.
            peer = current.hasMore() ? nil : current
          } catch {
            results.add(false)
            peer = nil
          }
        }
      }
    }
    group.wait()
    #expect(results.failures == 0)
    return results.count
  }

  private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private(set) var count = 0
    private(set) var failures = 0
    func add(_ isRight: Bool) {
      lock.withLock {
        count += 1
        if !isRight { failures += 1 }
      }
    }
  }

  @Test func aReloadFailsNoRequest() throws {
    let pool = try PoolProcess(workers: 3)
    let isDone = Flag()
    let master = pool.master
    Thread.detachNewThread {
      for _ in 0..<30 {
        for signal in [SIGHUP, SIGTTIN, SIGTTOU] {
          kill(master, signal)
          usleep(20_000)
          // Two of a kind that wait at once would be one.
          while hasPendingSignals(master) { usleep(1_000) }
        }
      }
      isDone.set()
    }
    #expect(try load(pool, clients: 6) { isDone.isSet } > 500)
    #expect(eventually { pool.workers.count == 3 })
  }

  @Test func recyclingFailsNoRequest() throws {
    let pool = try PoolProcess(workers: 3, maximumRequests: 50)
    let before = pool.workers
    let end = ContinuousClock.now + .seconds(2)
    #expect(try load(pool, clients: 6) { ContinuousClock.now > end } > 500)
    #expect(eventually { pool.workers.count == 3 })
    #expect(Set(pool.workers).isDisjoint(with: before))
  }

  @Test func theOldGenerationStaysWhenTheNewOneFails() throws {
    let pool = try PoolProcess(workers: 2)
    let before = pool.workers
    pool.touch(pool.broken)
    pool.signal(SIGHUP)
    try pool.waitFor("reload failed")
    #expect(pool.workers == before)
    pool.touch(pool.refused)
    pool.signal(SIGHUP)
    try pool.waitFor("reload refused")
    #expect(pool.workers == before)
    #expect(try pool.peer().ask("/pid").status == 200)
  }

  @Test func workersThatCannotStartAreTriedAgain() throws {
    let pool = try PoolProcess(workers: 1)
    pool.touch(pool.broken)
    kill(pool.workers[0], SIGKILL)
    for delay in ["0.1", "0.2", "0.4"] { try pool.waitFor("retriesAfter=\(delay) seconds") }
    try FileManager.default.removeItem(atPath: pool.broken)
    #expect(try pool.peer().ask("/pid").status == 200)
  }

  @Test func oneWorkerMoreAndOneLess() throws {
    let pool = try PoolProcess(workers: 1)
    pool.signal(SIGTTIN)
    #expect(eventually { pool.workers.count == 2 })
    pool.signal(SIGTTOU)
    #expect(eventually { pool.workers.count == 1 })
    #expect(try pool.peer().ask("/pid").status == 200)
  }
}

/// Set once, seen by all threads.
final class Flag: @unchecked Sendable {
  private let lock = NSLock()
  private var value = false
  var isSet: Bool { lock.withLock { value } }
  func set() { lock.withLock { value = true } }
}

/// Whether signals wait for a process that has them blocked and reads them by itself; false for one that is gone.
private func hasPendingSignals(_ process: Int32) -> Bool {
  guard let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
    let line = status.split(separator: "\n").first(where: { $0.hasPrefix("ShdPnd:") })
  else { return false }
  return line.dropFirst("ShdPnd:".count).contains { $0 != "0" && $0 != "\t" }
}
