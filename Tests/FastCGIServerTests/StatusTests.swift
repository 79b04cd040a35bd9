import Foundation
import TestSupport
import Testing

@testable import FastCGIServer

/// The status of a pool, also while all workers are busy.
@Suite(.timeLimit(.minutes(1))) struct StatusTests {
  private struct Status: Decodable {
    struct Pool: Decodable {
      var workers, idle, busy, accepted, requests, reusedRequests, crashes, recycles, generation, shed: Int
      var deadlinesExceeded, droppedLogLines, handOvers, reuseRefusals: Int
      var listenQueue: Int?
    }
    struct Worker: Decodable {
      var slot, pid, generation, requests: Int
      var state, stage: String
      var rssBytes: Int?
    }
    var pool: Pool
    var workers: [Worker]
  }

  private func pool(_ workers: Int, _ settings: [String: String] = [:]) throws -> PoolProcess {
    try PoolProcess(workers: workers, settings: settings.merging(["STATUS": "unix:%/ops"]) { $1 })
  }

  private func status(_ pool: PoolProcess) throws -> Status {
    let answer = try Peer(pool.folder + "/ops").ask("/status")
    return try JSONDecoder().decode(Status.self, from: Data(answer.body))
  }

  @Test func poolClientReadsIt() throws {
    let pool = try pool(2)
    func address(_ name: String) throws -> ListenAddress { try #require(ListenAddress("unix:\(pool.folder)/\(name)")) }
    let body = try PoolClient.get("/status", from: address("ops"))
    #expect(try JSONDecoder().decode(Status.self, from: Data(body)).pool.workers == 2)
    #expect(try PoolClient.get("/big/200000", from: address("s")).count == 200_000)
    func failure(_ target: String, _ name: String) throws -> Int32? {
      let address = try address(name)
      return #expect(throws: SystemError.self) {
        try PoolClient.get(target, from: address, timeout: .milliseconds(100))
      }?.code
    }
    #expect(try failure("/nothing", "s") == EPROTO)
    #expect(try failure("/status", "nobody") == ENOENT)
    #expect(try failure("/sleep/1000", "s") == ETIMEDOUT)
    #expect(try failure("/crash", "s") == ECONNRESET)
  }

  @Test func itIsToldWhenEveryWorkerIsBusy() throws {
    let pool = try pool(2)
    let busy = try (0..<2).map { _ in try pool.peer() }
    for peer in busy { peer.send(Peer.request("/sleep/3000")) }
    #expect(try eventually { try status(pool).pool.busy == 2 })
    let queued = try (0..<3).map { _ in try pool.peer() }
    let start = ContinuousClock.now
    let seen = try status(pool)
    #expect(ContinuousClock.now - start < .milliseconds(500))
    #expect(seen.pool.listenQueue == 3)
    #expect(seen.pool.workers == 2 && seen.pool.idle == 0)
    #expect(seen.workers.allSatisfy { $0.state == "busy" && $0.stage == "application" })
    for peer in busy { #expect(try peer.answer().status == 200) }
    for peer in queued { #expect(try peer.ask("/pid").status == 200) }
    #expect(try eventually { try status(pool).pool.idle == 2 })
    #expect(try status(pool).pool.listenQueue == 0)
  }

  @Test func countsAreThoseOfTheRequests() throws {
    let pool = try pool(1)
    let peer = try pool.peer()
    for _ in 0..<5 { _ = try peer.ask("/pid", keeps: true) }
    _ = try pool.peer().ask("/nothing")
    let seen = try status(pool)
    #expect(seen.pool.requests == 6 && seen.pool.reusedRequests == 4 && seen.pool.accepted == 2)
    #expect(seen.workers.map(\.pid).sorted() == [Int(try pool.peer().ask("/pid").text) ?? 0])
    #expect((seen.workers[0].rssBytes ?? 0) > 1 << 20)
  }

  @Test func totalsSurviveADeathAndCrashesAreCounted() throws {
    let pool = try pool(2)
    for _ in 0..<20 { _ = try pool.peer().ask("/pid") }
    for worker in try status(pool).workers { kill(Int32(worker.pid), SIGKILL) }
    #expect(
      try eventually {
        let seen = try status(pool).pool
        return seen.crashes == 2 && seen.idle == 2
      })
    #expect(try status(pool).pool.requests == 20)
    pool.signal(SIGHUP)
    try pool.waitFor("reload finished")
    #expect(try eventually { try status(pool).workers.map(\.state) == ["idle", "idle"] })
    let seen = try status(pool)
    #expect(seen.pool.requests == 20 && seen.pool.generation == 1)
    #expect(seen.workers.allSatisfy { $0.generation == 1 })
  }

  @Test func metricsAndPageSayTheSame() throws {
    let pool = try pool(1)
    _ = try pool.peer().ask("/store")
    // The answer comes before the worker is idle again.
    #expect(try eventually { try status(pool).pool.idle == 1 })
    let metrics = try Peer(pool.folder + "/ops").ask("/metrics").text
    #expect(metrics.contains("sample_requests_total{route=\"store \\\"it\\\"\",status=\"2xx\"} 1\n"))
    #expect(metrics.contains("sample_request_duration_seconds_bucket{le=\"+Inf\"} 1\n"))
    #expect(metrics.contains("sample_request_duration_seconds_bucket{le=\"0.01\"} 0\n"))
    #expect(metrics.contains("sample_store_seconds_total{store=\"postgres\"} 0.0"))
    #expect(metrics.contains("sample_store_seconds_total{store=\"redis\"} 0\n"))
    #expect(metrics.contains("sample_workers{state=\"idle\"} 1\n"))
    for line in metrics.split(separator: "\n") where !line.hasPrefix("#") {
      #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "\(line)")
    }
    let page = try Peer(pool.folder + "/ops").ask("/page").text
    #expect(page.contains("sample &lt;pool&gt;") && page.contains("<td>idle</td>"))
  }

  // MARK: Deadlines

  @Test func aRequestPastItsDeadlineIsAnsweredAndItsWorkerReplaced() throws {
    let pool = try pool(1, ["REQUEST_DEADLINE": "300"])
    let victim = try status(pool).workers[0].pid
    let name = "0123456789abcdef0123456789ABCDEF"
    for _ in 0..<50 { #expect(try pool.peer().ask("/pid").status == 200) }
    let peer = try pool.peer()
    let start = ContinuousClock.now
    peer.send(Records.request([("REQUEST_URI", "/spin"), ("REQUEST_ID", name)], id: 513, keeps: true))
    let stdout = try peer.record()
    #expect(stdout.id == 513)
    let text = String(decoding: stdout.content, as: UTF8.self)
    #expect(text.hasPrefix("Status: 504 ") && text.hasSuffix("\r\n\r\nlate \(name)"))
    #expect(text.contains("\r\nRequest-Id: \(name)\r\n"))
    #expect(try peer.record().content.isEmpty)
    #expect(try peer.record().type == 3)
    #expect(try peer.record().type == 11)
    #expect(try peer.receive().isEmpty)
    let took = ContinuousClock.now - start
    #expect(took > .milliseconds(290) && took < .milliseconds(1500))
    try pool.waitFor("stage=redis [FastCGIServer] request passed its deadline")
    #expect(try pool.peer().ask("/pid").status == 200)
    #expect(try eventually { try status(pool).workers.map(\.state) == ["idle"] })
    let seen = try status(pool)
    #expect(seen.workers[0].pid != victim && seen.pool.deadlinesExceeded == 1 && seen.pool.crashes == 0)
    #expect(seen.pool.requests == 52)
    let metrics = try Peer(pool.folder + "/ops").ask("/metrics").text
    #expect(metrics.contains("sample_requests_total{route=\"other\",status=\"5xx\"} 1\n"))
    #expect(metrics.contains("sample_request_duration_seconds_count 52\n"))
  }

  /// The worker can do nothing itself: its request is lost, and it is replaced.
  @Test func aWorkerThatBlocksAllSignalsIsKilled() throws {
    let pool = try pool(1, ["REQUEST_DEADLINE": "200", "QUEUE_AGE": "60000"])
    #expect(throws: Peer.Failure.ended) { try pool.peer().ask("/unresponsive") }
    #expect(try pool.peer().ask("/pid").status == 200)
    #expect(try status(pool).pool.workers == 1)
  }

  /// The timer of an earlier request must not end a later one.
  @Test func deadlinesAreCountedWithinARequestOnly() throws {
    let pool = try pool(1, ["REQUEST_DEADLINE": "400"])
    for _ in 0..<8 { #expect(try pool.peer().ask("/sleep/150").status == 200) }
    #expect(try status(pool).pool.deadlinesExceeded == 0)
    // Without a name in the request, an answer without one.
    #expect(try pool.peer().ask("/sleep/3000").text == "late ")
  }

  @Test func whatHasWaitedTooLongIsShedAndWhatHasNotIsServed() throws {
    let pool = try pool(1, ["QUEUE_AGE": "500"])
    let first = try pool.peer()
    first.send(Peer.request("/sleep/1200"))
    #expect(try eventually { try status(pool).pool.busy == 1 })
    let old = try (0..<3).map { _ in try pool.peer() }
    for peer in old { peer.send(Peer.request("/pid")) }
    usleep(1_000_000)
    let young = try pool.peer()
    young.send(Peer.request("/pid"))
    #expect(try first.answer().status == 200)
    for peer in old { #expect(try peer.answer().status == 503) }
    #expect(try young.answer().status == 200)
    #expect(try status(pool).pool.shed == 3)
    #expect(try pool.peer().ask("/pid").status == 200)
  }

  @Test func aWorkerThatHasGrownIsReplaced() throws {
    let pool = try pool(1, ["MEMORY": "\(48 << 20)"])
    let before = try pool.peer().ask("/grow").text
    #expect(
      try eventually {
        let answer = try pool.peer().ask("/grow").text
        return answer != before
      })
    #expect(try status(pool).pool.recycles >= 1)
    #expect(try status(pool).pool.crashes == 0)
  }
}

@Suite struct QueueAgeTests {
  @Test func theQueuesAgeIsKnownFromCounts() {
    var age = QueueAge(limit: .seconds(5))
    func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }
    #expect(age.sample(now: at(0), accepted: 10, waiting: 0) == 0)
    #expect(age.sample(now: at(1), accepted: 10, waiting: 4) == 0)
    #expect(age.sample(now: at(4), accepted: 10, waiting: 7) == 0)
    #expect(age.sample(now: at(6), accepted: 10, waiting: 9) == 14)
    #expect(age.sample(now: at(7), accepted: 14, waiting: 9) == 0)
    #expect(age.sample(now: at(9), accepted: 14, waiting: 9) == 17)
    #expect(age.sample(now: at(10), accepted: 23, waiting: 0) == 0)
    #expect(age.sample(now: at(60), accepted: 23, waiting: 1) == 0)
  }
}

/// A reader must not believe a writer.
@Suite struct ScoreboardTests {
  @Test func thePageOfAWriterThatEndedIsReadAndCleared() throws {
    let master = try MasterScoreboard()
    master.open(slot: 3, generation: 7, isWorker: true)
    let child = try Scoreboard(child: 3, file: Descriptor(dup(master.file.raw)))
    child.ownPage.write { $0.add(.requests, 5) }
    unsafe child.ownPage.withWords { words in unsafe words[0] = 77 }
    #expect(master.shared.slot(3)?.get(.requests) == 5)
    master.close(slot: 3)
    #expect(master.shared.master.get(.requests) == 5)
    #expect(master.shared.slot(3)?.get(.requests) == 0)
    let view = PoolView(scoreboard: child, pool: nil, routes: [], metrics: [])
    #expect(view.status().value(.requests) == 5)
    #expect(view.status().workers.isEmpty)
  }

  @Test func anyBytesAreAStatus() throws {
    var random = SeededRandom(seed: 5)
    let master = try MasterScoreboard()
    for slot in 0..<8 { master.open(slot: slot, generation: 0, isWorker: true) }
    for _ in 0..<200 {
      for slot in 0..<8 {
        for word in Int32(0)..<512 {
          let value: UInt64 =
            Bool.random(using: &random) ? .max : random.next() >> UInt64.random(in: 0..<64, using: &random)
          master.shared.slot(slot)?.set(
            word, word == ScoreboardLayout.kind ? 1 : word == ScoreboardLayout.state ? value % 7 : value)
        }
      }
      let status = PoolView(scoreboard: master.shared, pool: nil, routes: ["a"], metrics: []).status()
      #expect((try? JSONSerialization.jsonObject(with: Data(status.json))) != nil)
      #expect(!status.metrics(prefix: "x_").isEmpty && !status.page(title: "x").isEmpty)
      master.close(slot: Int.random(in: 0..<8, using: &random))
      _ = master.shared.accepted
    }
    master.shared.master.set(ScoreboardLayout.usedSlots, .max)
    _ = PoolView(scoreboard: master.shared, pool: nil, routes: [], metrics: []).status()
  }

  @Test func aChildCannotCutTheBoard() throws {
    let master = try MasterScoreboard()
    #expect(ftruncate(master.file.raw, 0) == -1)
  }
}
