import Foundation
import Testing

@testable import FastCGIServer

/// The protocol of systemd, spoken from its side: sd_notify(3), sd_listen_fds(3).
@Suite(.timeLimit(.minutes(1))) struct ServiceManagerTests {
  /// A socket of systemd's, bound in `folder`.
  private func socket(_ type: __socket_type, _ path: String) throws -> Int32 {
    let raw = Glibc.socket(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
    var time = timeval(tv_sec: 10, tv_usec: 0)
    unsafe setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    return raw
  }

  private func message(_ raw: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe recv(raw, &bytes, bytes.count, 0)
    return count < 0 ? "nothing" : String(decoding: bytes[..<count], as: UTF8.self)
  }

  private func folder() throws -> String {
    let folder = NSTemporaryDirectory() + "service-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }

  @Test func itIsToldHowThePoolIs() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let notify = try socket(SOCK_DGRAM, folder + "/notify")
    defer { _ = close(notify) }
    let process = Process()
    process.executableURL = PoolProcess.program
    process.arguments = ["master", "unix:\(folder)/s", "2"]
    process.environment = ProcessInfo.processInfo.environment.merging(["NOTIFY_SOCKET": folder + "/notify"]) { $1 }
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.killIfRunning() }
    #expect(message(notify) == "READY=1")
    #expect(try Peer(folder + "/s").ask("/environment").text == "")
    kill(process.processIdentifier, SIGHUP)
    #expect(message(notify).wholeMatch(of: /RELOADING=1\nMONOTONIC_USEC=\d+/) != nil)
    #expect(message(notify) == "READY=1")
    process.terminate()
    #expect(message(notify) == "STOPPING=1")
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func aSocketThatItHoldsIsServedAndLeft() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let listener = try socket(SOCK_STREAM, folder + "/s")
    defer { _ = close(listener) }
    try #require(listen(listener, 50) == 0)
    for round in 0..<2 {
      // The request is there before the service: that is what the activation is for.
      let early = try Peer(folder + "/s")
      early.send(Peer.request("/echo", body: [7]))
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      let master = "'\(PoolProcess.program.path)' master 'unix:\(folder)/s' 1"
      process.arguments = ["-c", "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=any exec \(master)"]
      process.standardInput = FileHandle(fileDescriptor: listener, closeOnDealloc: false)
      process.standardError = FileHandle.nullDevice
      try process.run()
      defer { process.killIfRunning() }
      #expect(try early.answer().body == [7], "round \(round)")
      #expect(try Peer(folder + "/s").ask("/environment").text == "")
      process.terminate()
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      #expect(FileManager.default.fileExists(atPath: folder + "/s"))
    }
  }

  @Test func socketsOfAnotherProcessAreNotTaken() throws {
    let folder = try folder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let process = Process()
    process.executableURL = PoolProcess.program
    process.arguments = ["master", "unix:\(folder)/s", "1"]
    process.environment = ProcessInfo.processInfo.environment.merging(["LISTEN_PID": "1", "LISTEN_FDS": "1"]) { $1 }
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.killIfRunning() }
    #expect(eventually { (try? Peer(folder + "/s").ask("/pid").status) == 200 })
    process.terminate()
    process.waitUntilExit()
    #expect(!FileManager.default.fileExists(atPath: folder + "/s"))
  }
}
