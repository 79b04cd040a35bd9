import Foundation
import Testing

/// The sample pool as a process of its own, on a socket in a folder of its own.
final class PoolProcess {
  let socket: String
  let folder: String
  let process = Process()
  /// A file, not a pipe: the pool goes on although it is not read.
  private let log: String
  private var seen = 0

  static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("SamplePool")

  /// Returns when all workers are ready.
  ///
  /// `settings`: of the sample pool, without SAMPLE_. A `%` in them stands for the folder.
  init(
    workers: Int = 1, maximumRequests: Int? = nil, deadline: Int? = nil, connections: Int? = nil,
    settings: [String: String] = [:]
  ) throws {
    folder = NSTemporaryDirectory() + "pool-\(UUID().uuidString.prefix(8))"
    socket = folder + "/s"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    process.executableURL = Self.program
    process.arguments = ["master", "unix:\(socket)", "\(workers)"] + (maximumRequests.map { ["\($0)"] } ?? [])
    var environment = ProcessInfo.processInfo.environment
    environment["SAMPLE_BROKEN"] = folder + "/broken"
    environment["SAMPLE_REFUSED"] = folder + "/refused"
    environment["SAMPLE_DEADLINE"] = deadline.map { "\($0)" }
    environment["SAMPLE_CONNECTIONS"] = connections.map { "\($0)" }
    for (key, value) in settings {
      environment["SAMPLE_" + key] = value.replacingOccurrences(of: "%", with: folder)
    }
    process.environment = environment
    log = folder + "/log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    try waitFor("] ready")
  }

  deinit {
    for worker in workers { kill(worker, SIGKILL) }
    process.killIfRunning()
    try? FileManager.default.removeItem(atPath: folder)
  }

  var broken: String { folder + "/broken" }
  var refused: String { folder + "/refused" }

  var master: Int32 { process.processIdentifier }

  var workers: [Int32] {
    let children = try? String(contentsOfFile: "/proc/\(master)/task/\(master)/children", encoding: .utf8)
    return (children ?? "").split(separator: " ").compactMap { Int32($0) }.sorted()
  }

  func peer() throws -> Peer { try Peer(socket) }

  func signal(_ number: Int32) { kill(master, number) }

  func touch(_ path: String) { _ = FileManager.default.createFile(atPath: path, contents: nil) }

  var logText: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

  /// Waits for a line of the log that says so, after the last one waited for.
  func waitFor(_ words: String) throws {
    let found = eventually {
      let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      let new = text.dropFirst(seen)
      guard let range = new.range(of: words) else { return false }
      seen += new.distance(from: new.startIndex, to: range.upperBound)
      return true
    }
    if !found { throw NotLogged(words: words) }
  }

  struct NotLogged: Error { var words: String }

  /// Waits for the end of the master: its exit code.
  func end() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }
}

extension Process {
  /// For the end of a test that failed: one that is left behind would keep the whole run from ending.
  func killIfRunning() {
    if isRunning { kill(processIdentifier, SIGKILL) }
  }
}

/// For what no event tells: looks until it is so, or ten seconds have passed.
func eventually(_ isSo: () throws -> Bool) rethrows -> Bool {
  let deadline = ContinuousClock.now + .seconds(10)
  while ContinuousClock.now < deadline {
    if try isSo() { return true }
    usleep(2000)
  }
  return false
}

func isAlive(_ process: Int32) -> Bool { kill(process, 0) == 0 }
