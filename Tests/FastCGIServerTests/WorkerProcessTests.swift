import Foundation
import Testing

@testable import FastCGIServer

/// What a web server sees of a worker.
@Suite(.timeLimit(.minutes(30))) struct WorkerProcessTests {
  @Test func aRequestIsAnsweredAndTheConnectionKept() throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    for count in [0, 1, 70_000, 262_144] {
      let body = [UInt8](repeating: 0x61, count: count)
      let answer = try peer.ask("/echo", body: body, keeps: true)
      #expect(answer.status == 200 && answer.body == body)
      #expect(answer.fields["Content-Length"] == "\(count)")
    }
    #expect(try peer.ask("/size", body: [UInt8](repeating: 0, count: 300_000), keeps: true).status == 413)
    #expect(try peer.ask("/empty", keeps: true).fields["Content-Length"] == nil)
    let head = try peer.ask("/head", keeps: true)
    #expect(head.fields["Content-Length"] == "4" && head.body.isEmpty)
    #expect(try peer.isKept())
    #expect(try peer.ask("/pid").status == 200)
    #expect(try peer.receive().isEmpty)
  }

  @Test func managementRecordsAreAnsweredOnTheWire() throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    let names = Records.pairs([("FCGI_MPXS_CONNS", ""), ("FCGI_NOTHING", ""), ("FCGI_MAX_REQS", "")])
    peer.send(Records.record(9, 0, names) + Records.record(99, 0, [1]) + Peer.request("/pid", keeps: true))
    let values = try peer.record()
    #expect(values.type == 10 && values.id == 0)
    #expect(values.content == Records.pairs([("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "512")]))
    let unknown = try peer.record()
    #expect(unknown.type == 11 && unknown.content == [99, 0, 0, 0, 0, 0, 0, 0])
    #expect(try peer.answer().status == 200)
  }

  @Test func anAbortEndsARequest() throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    peer.send(Records.begin(3, keeps: true) + Records.record(2, 3))
    let end = try peer.record()
    #expect(end.type == 3 && end.id == 3)
    #expect(try peer.ask("/pid", keeps: true).status == 200)
  }

  @Test func anotherRoleIsRefused() throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    peer.send(Records.begin(1, role: 2))
    let end = try peer.record()
    #expect(end.type == 3 && end.content == [0, 0, 0, 0, 3, 0, 0, 0])
    #expect(try peer.receive().isEmpty)
  }

  @Test(arguments: [
    (Records.request(body: [1, 2], contentLength: "3"), 400),
    (Records.begin() + Records.params([1, 9]), 400),
    (Records.begin() + Records.params(Records.pairs((0..<129).map { ("N\($0)", "") })), 431),
  ]) func refusalsAreAnswered(bytes: [UInt8], status: Int) throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    peer.send(bytes)
    #expect(try peer.answer().status == status)
    let marker = try peer.record()
    #expect(marker.type == 11 && marker.id == 0)
    // More may still come: the answer must not be lost to a reset.
    #expect(peer.send([UInt8](repeating: 0, count: 100_000)))
    #expect(try peer.receive().isEmpty)
    #expect(try pool.peer().ask("/pid").status == 200)
  }

  @Test func everyBreachClosesTheConnectionAndNothingElse() throws {
    let pool = try PoolProcess()
    let before = pool.workers
    for row in RequestReaderTests.violations {
      let peer = try pool.peer()
      peer.send(row.bytes)
      while !((try? peer.receive()) ?? []).isEmpty {}
      #expect(try pool.peer().ask("/pid").text == "\(before[0])", "\(row.name)")
    }
    #expect(pool.workers == before)
  }

  /// Lengths that lie among them: each is answered, or its connection closed, and the worker stays.
  @Test func everyRefusalLeavesTheWorker() throws {
    let pool = try PoolProcess()
    let before = pool.workers
    for row in RequestReaderTests.refusals {
      let peer = try pool.peer()
      peer.send(row.bytes)
      peer.endSending()
      let first = try peer.record()
      #expect(first.type == 6 || first.type == 3, "\(row.name)")
      while !((try? peer.receive()) ?? []).isEmpty {}
      #expect(try pool.peer().ask("/pid").text == "\(before[0])", "\(row.name)")
    }
    #expect(pool.workers == before)
  }

  /// A web server that ends after each byte of its request.
  @Test func aCutAtEachByteIsNoRequest() throws {
    let pool = try PoolProcess(settings: ["ACCESS_LOG": "%/access"])
    let before = pool.workers
    let whole = Peer.request("/echo", body: [1, 2, 3], keeps: true)
    for end in 0..<whole.count {
      let peer = try pool.peer()
      peer.send(Array(whole[..<end]))
      peer.endSending()
      #expect(try peer.receive().isEmpty, "cut at \(end)")
    }
    #expect(try pool.peer().ask("/pid").text == "\(before[0])")
    #expect(eventually { (try? String(contentsOfFile: pool.folder + "/access", encoding: .utf8))?.isEmpty == false })
    let lines = try String(contentsOfFile: pool.folder + "/access", encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 1 && pool.workers == before)
  }

  @Test func randomStreamsNeverEndAWorker() throws {
    let pool = try PoolProcess(workers: 2)
    let before = pool.workers
    var random = RandomStream(seed: 7)
    for _ in 0..<RandomStream.count(2000) {
      let peer = try pool.peer()
      peer.send(random.next())
      peer.endSending()
      while !((try? peer.receive()) ?? []).isEmpty {}
    }
    #expect(pool.workers == before)
    #expect(try pool.peer().ask("/pid").status == 200)
  }

  /// All of them at once, and one worker.
  @Test func slowPeersOfEveryKindOccupyNoWorker() throws {
    let pool = try PoolProcess(workers: 1)
    let whole = Peer.request("/echo", body: [UInt8](repeating: 0x62, count: 100_000))
    let silent = try pool.peer()
    let cuts = [1, 7, 8, 20, 60, 50_000, whole.count - 1]
    let slow = try cuts.map { count in
      let peer = try pool.peer()
      peer.send(Array(whole[..<count]))
      return peer
    }
    let unread = try pool.peer()
    unread.send(Peer.request("/big/5000000"))
    let idle = try pool.peer()
    #expect(try idle.ask("/pid", keeps: true).status == 200)

    let start = ContinuousClock.now
    #expect(try pool.peer().ask("/pid").status == 200)
    #expect(ContinuousClock.now - start < .milliseconds(500))

    // And they all get their answers in the end.
    for (peer, count) in zip(slow, cuts) {
      peer.send(Array(whole[count...]))
      #expect(try peer.answer().body.count == 100_000)
    }
    #expect(try unread.answer().body.count == 5_000_000)
    #expect(try silent.ask("/pid").status == 200)
    #expect(try idle.ask("/pid").status == 200)
  }

  @Test func aRequestByteByByteIsServed() throws {
    let pool = try PoolProcess()
    let peer = try pool.peer()
    for byte in Peer.request("/echo", body: Array("slowly".utf8)) { #expect(peer.send([byte])) }
    #expect(try peer.answer().text == "slowly")
  }

  @Test func readingHasOneDeadlineInTotal() throws {
    let pool = try PoolProcess(deadline: 300)
    let start = ContinuousClock.now
    let peer = try pool.peer()
    let silent = try pool.peer()
    let bytes = Peer.request("/pid")
    var sent = 0
    // A byte every 20 ms does not prolong it.
    while ContinuousClock.now - start < .milliseconds(250), sent < bytes.count - 1 {
      peer.send([bytes[sent]])
      sent += 1
      usleep(20_000)
    }
    #expect(sent < bytes.count)
    let result = Result { try peer.answer().status }
    if sent >= 8 + 8 { #expect(try result.get() == 408) }
    #expect(ContinuousClock.now - start < .seconds(2))
    #expect(try silent.receive().isEmpty)
  }

  @Test func aPeerThatNeverReadsItsAnswerIsDropped() throws {
    let pool = try PoolProcess(deadline: 300)
    let unread = try pool.peer()
    unread.send(Peer.request("/big/5000000"))
    let worker = pool.workers[0]
    func descriptors() -> Int {
      (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/fd").count) ?? 0
    }
    #expect(eventually { unread.hasMore() })
    let before = descriptors()
    #expect(eventually { descriptors() < before })
    #expect(throws: Peer.Failure.self) { try unread.answer() }
  }

  @Test func signalsCutNothing() throws {
    let pool = try PoolProcess()
    let worker = pool.workers[0]
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      while isDone.wait(timeout: .now() + .microseconds(200)) == .timedOut {
        kill(worker, SIGUSR1)
        kill(worker, SIGPIPE)
      }
    }
    defer { isDone.signal() }
    let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
    let peer = try pool.peer()
    for _ in 0..<300 { #expect(try peer.ask("/echo", body: body, keeps: true).body == body) }
    #expect(pool.workers == [worker])
  }

  @Test func manyRequestsLeaveNothingBehind() throws {
    let pool = try PoolProcess()
    let worker = pool.workers[0]
    func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/fd").count }
    func memory() throws -> Int {
      let pages = try String(contentsOfFile: "/proc/\(worker)/statm", encoding: .utf8).split(separator: " ")
      return (Int(pages[1]) ?? 0) * 4096
    }
    let peer = try pool.peer()
    for _ in 0..<2000 { _ = try peer.ask("/echo", body: [1, 2, 3], keeps: true) }
    let before = (try descriptors(), try memory())
    for _ in 0..<RandomStream.count(10_000) {
      _ = try peer.ask("/echo", body: [1, 2, 3], keeps: true)
    }
    for _ in 0..<1000 { _ = try pool.peer().ask("/pid") }
    #expect(try descriptors() <= before.0 + 1)
    #expect(try memory() <= before.1 + 512 * 1024)
  }

  /// Any listening socket on descriptor 0 will do: spawn-fcgi, a systemd socket.
  @Test func aWorkerServesWithoutAMaster() throws {
    let folder = NSTemporaryDirectory() + "worker-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let listener = try Listener.open(
      .unix(path: folder + "/s"), .init(mode: 0o600, owner: nil, group: nil), backlog: 5)
    let process = Process()
    process.executableURL = PoolProcess.program
    process.arguments = ["worker"]
    process.standardInput = FileHandle(fileDescriptor: listener.raw)
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.killIfRunning() }
    // Without others to hand connections to, none is kept: it would wait behind the next one's request.
    let peer = try Peer(folder + "/s")
    #expect(try peer.ask("/echo", body: [5], keeps: true).body == [5])
    #expect(try peer.record().type == 11)
    #expect(try peer.receive().isEmpty)
    let last = try Peer(folder + "/s")
    last.send(Peer.request("/sleep/200"))
    #expect(
      eventually {
        (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/wchan", encoding: .utf8))?.contains(
          "nanosleep") ?? true
      })
    kill(process.processIdentifier, SIGTERM)
    #expect(try last.answer().status == 200)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func aWorkerWithoutAListeningSocketSaysSo() throws {
    let process = Process()
    process.executableURL = PoolProcess.program
    process.arguments = ["worker"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
  }
}
