import CartDomain
import Foundation

@testable import CartStores

/// A Redis of the test's own, to stop, starve and restart.
final class PrivateRedis {
  let folder: URL
  private let arguments: [String]
  private var process: Process?

  var address: RedisConfiguration.Address { .unix(path: folder.appendingPathComponent("r.sock").path) }

  /// Starts it and waits until it answers.
  init(_ arguments: [String] = [], folder: URL? = nil) throws {
    self.arguments = arguments
    self.folder =
      folder ?? FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("redis-"))
    try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    try start()
  }

  deinit {
    kill(SIGKILL)
    try? FileManager.default.removeItem(at: folder)
  }

  func configuration(timeoutMilliseconds: Int64 = 2_000) -> RedisConfiguration {
    RedisConfiguration(address: address, timeoutMilliseconds: timeoutMilliseconds)
  }

  func start() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.currentDirectoryURL = folder
    process.arguments =
      ["redis-server", "--port", "0", "--unixsocket", "r.sock", "--save", "", "--daemonize", "no"] + arguments
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    self.process = process
    try awaitAnswer()
  }

  func signal(_ number: Int32) {
    guard let process, process.isRunning else { return }
    _ = Glibc.kill(process.processIdentifier, number)
  }

  /// Ends it and waits for its end.
  func kill(_ number: Int32 = SIGTERM) {
    signal(number)
    if number != SIGKILL { signal(SIGCONT) }
    process?.waitUntilExit()
    process = nil
  }

  private func awaitAnswer() throws {
    let until = Date().addingTimeInterval(10)
    while true {
      do {
        let connection = RedisConnection(RedisConfiguration(address: address, timeoutMilliseconds: 500))
        try connection.run("PING")
        return
      } catch let error as StoreError where error.message.contains("NOAUTH") || error.message.contains("NOPERM") {
        return
      } catch {
        guard Date() < until else { throw error }
        usleep(5_000)
      }
    }
  }
}
