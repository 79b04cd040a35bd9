import CartDomain
import Foundation

@testable import CartStores

/// A Redis of the test's own, to stop, starve and restart.
final class PrivateRedis {
  let folder: URL
  private let arguments: [String]
  private var process: Process?

  /// 0 where it listens on its socket alone.
  private let port: Int32

  var address: RedisConfiguration.Address {
    port == 0 ? .unix(path: folder.appendingPathComponent("r.sock").path) : .tcp(host: "127.0.0.1", port: port)
  }

  /// Starts it and waits until it answers.
  init(_ arguments: [String] = [], folder: URL? = nil, overTCP: Bool = false) throws {
    self.arguments = arguments
    self.port = overTCP ? Self.freePort() : 0
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
      [
        "redis-server", "--port", String(port), "--bind", "127.0.0.1", "--unixsocket", "r.sock", "--save", "",
        "--daemonize", "no",
      ] + arguments
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

  /// A port that nobody listens on at this moment.
  private static func freePort() -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        _ = unsafe bind(descriptor, generic, length)
        _ = unsafe getsockname(descriptor, generic, &length)
      }
    }
    return Int32(UInt16(bigEndian: address.sin_port))
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
