import Foundation
import Testing

@testable import FastCGIServer

@Suite(.timeLimit(.minutes(1))) struct LogTests {
  private struct Line: Decodable {
    var time, id, method, path, route, user: String
    var status, bytes, microseconds, pid: Int
  }

  private func lines(_ path: String) -> [Line] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
  }

  @Test func everyRequestIsALine() throws {
    let pool = try PoolProcess(settings: ["ACCESS_LOG": "%/access"])
    let path = pool.folder + "/access"
    _ = try pool.peer().ask("/store?token=secret")
    let hostile = "/a\n\"\\\u{7f}\u{1b}[2Jü?x"
    _ = try pool.peer().ask(hostile, body: Array("secret body".utf8))
    #expect(eventually { lines(path).count == 2 })
    let found = lines(path)
    #expect(found[0].path == "/store" && found[0].route == "store \"it\"" && found[0].user == "user")
    #expect(found[0].status == 200 && found[0].bytes == 6 && found[0].microseconds >= 20_000)
    #expect(found[0].pid == Int(pool.workers[0]) && found[0].time.hasSuffix("Z") && found[0].time.count == 24)
    #expect(found[1].path == "/a\n\"\\\u{7f}\u{1b}[2Jü" && found[1].method == "POST" && found[1].status == 404)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(bytes.allSatisfy { $0 == 0x0a || (0x20..<0x7f).contains($0) })
    #expect(!String(decoding: bytes, as: UTF8.self).contains("secret"))
  }

  @Test func logsAreReopened() throws {
    let pool = try PoolProcess(workers: 2, settings: ["ACCESS_LOG": "%/access"])
    let path = pool.folder + "/access"
    _ = try pool.peer().ask("/pid")
    #expect(eventually { lines(path).count == 1 })
    try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
    pool.signal(SIGUSR1)
    #expect(eventually { FileManager.default.fileExists(atPath: path) })
    #expect(
      try eventually {
        _ = try pool.peer().ask("/pid")
        return lines(path).count >= 3
      })
  }

  /// A pipe that is not read, and a disk without room.
  @Test(arguments: ["fifo", "/dev/full"]) func aLogWithoutRoomHoldsNobody(kind: String) throws {
    var path = kind
    var reader: Int32 = -1
    if kind == "fifo" {
      path = NSTemporaryDirectory() + "fifo-\(UUID().uuidString)"
      unsafe mkfifo(path, 0o600)
      reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
    }
    defer {
      if reader >= 0 {
        _ = close(reader)
        _ = unsafe unlink(path)
      }
    }
    let pool = try PoolProcess(settings: ["ACCESS_LOG": path])
    let peer = try pool.peer()
    let start = ContinuousClock.now
    for _ in 0..<1500 { #expect(try peer.ask("/pid", keeps: true).status == 200) }
    #expect(ContinuousClock.now - start < .seconds(20))
    let status = try peer.ask("/status", keeps: true).text
    let dropped = status.firstMatch(of: /"droppedLogLines":(\d+)/).flatMap { Int($0.1) } ?? 0
    #expect(dropped > 100)
  }

  /// Standard error is a pipe that is not read.
  @Test func aFullStandardErrorHoldsNobody() throws {
    let folder = NSTemporaryDirectory() + "stderr-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let process = Process()
    process.executableURL = PoolProcess.program
    process.arguments = ["master", "unix:\(folder)/s", "1"]
    process.environment = ProcessInfo.processInfo.environment.merging(["SAMPLE_SLOW": "0"]) { $1 }
    let pipe = Pipe()
    process.standardError = pipe
    try process.run()
    defer { process.killIfRunning() }
    #expect(eventually { (try? Peer(folder + "/s").ask("/pid").status) == 200 })
    let peer = try Peer(folder + "/s")
    for _ in 0..<1500 { #expect(try peer.ask("/pid", keeps: true).status == 200) }
    process.terminate()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(pipe.fileHandleForReading.availableData.count > 3000)
  }

  @Test func slowRequestsAreToldWithTheirStages() throws {
    let pool = try PoolProcess(settings: ["SLOW": "10"])
    _ = try pool.peer().ask("/pid")
    _ = try pool.peer().ask("/store?secret")
    try pool.waitFor("slow request")
    let line = pool.logText.split(separator: "\n").first { $0.contains("slow request") } ?? ""
    #expect(line.contains("path=/store ") && line.contains(" redisMs=0 "))
    #expect((line.firstMatch(of: /postgresMs=(\d+)/).flatMap { Int($0.1) } ?? 0) >= 20)
    #expect(!pool.logText.contains("path=/pid") && !pool.logText.contains("secret"))
  }

  @Test func aLogLineIsOneLine() {
    let line = StandardErrorLog.printable("a\nb\u{1b}[31m\u{7f}" + String(repeating: "x", count: 9000))
    #expect(line.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
    #expect(line.starts(with: "a\\x0ab\\x1b[31m\\x7f".utf8) && line.count < 4000)
  }
}
