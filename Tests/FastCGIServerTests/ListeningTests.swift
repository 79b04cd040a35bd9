import Foundation
import Testing

@testable import FastCGIServer

@Suite struct ListenAddressTests {
  @Test(arguments: [
    ("unix:/run/cart.sock", ListenAddress.unix(path: "/run/cart.sock")), ("unix:s", .unix(path: "s")),
    ("127.0.0.1:9000", .inet(host: "127.0.0.1", port: 9000)), ("[::1]:1", .inet(host: "::1", port: 1)),
    ("localhost:65535", .inet(host: "localhost", port: 65535)),
  ]) func isReadAndWritten(text: String, address: ListenAddress) {
    #expect(ListenAddress(text) == address)
    #expect("\(address)" == text)
  }

  @Test(arguments: [
    "", "unix:", "unix:/run/", "/run/cart.sock", "9000", ":9000", "host:", "host:0", "host:65536", "host:+1", "host: 1",
    "::1:9000", "[]:1", "unix:/a\0b",
  ]) func anythingElseIsRefused(text: String) {
    #expect(ListenAddress(text) == nil)
  }
}

@Suite struct ListenerTests {
  private let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "listen-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func open(_ path: String, mode: UInt32 = 0o660, group: String? = nil) throws -> Descriptor {
    try Listener.open(.unix(path: path), .init(mode: mode, owner: nil, group: group), backlog: 5)
  }

  @Test(arguments: [UInt32(0o660), 0o600, 0o666]) func theSocketHasItsMode(mode: UInt32) throws {
    let socket = try open(folder + "/s", mode: mode)
    let attributes = try FileManager.default.attributesOfItem(atPath: folder + "/s")
    #expect(attributes[.posixPermissions] as? Int == Int(mode))
    #expect(attributes[.type] as? FileAttributeType == .typeSocket)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["s"])
    _ = socket.raw
  }

  @Test func aLiveSocketIsNotTaken() throws {
    let socket = try open(folder + "/s")
    #expect(throws: SystemError.self) { _ = try open(folder + "/s") }
    let peer = try Peer(folder + "/s")
    #expect(try Listener.accept(socket.raw).raw > 0)
    _ = peer.socket
  }

  @Test func aStaleSocketIsReplaced() throws {
    do { _ = try open(folder + "/s") }
    #expect(FileManager.default.fileExists(atPath: folder + "/s"))
    let socket = try open(folder + "/s")
    _ = try Peer(folder + "/s")
    #expect(try Listener.accept(socket.raw).raw > 0)
  }

  @Test func whatIsNoSocketStays() throws {
    try "precious".write(toFile: folder + "/s", atomically: true, encoding: .utf8)
    #expect(throws: SystemError.self) { _ = try open(folder + "/s") }
    #expect(try String(contentsOfFile: folder + "/s", encoding: .utf8) == "precious")
  }

  @Test func aGroupThatIsNotThereLeavesNothingBehind() throws {
    #expect(throws: SystemError.self) { _ = try open(folder + "/s", group: "no-such-group") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
  }

  @Test func aPathMayBeLongerThanAnAddress() throws {
    let deep = folder + "/" + String(repeating: "d", count: 150)
    try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
    let socket = try open(deep + "/s")
    #expect(throws: SystemError.self) { _ = try open(deep + "/s") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: deep) == ["s"])
    _ = socket.raw
  }

  @Test func aPortIsTakenOnce() throws {
    let permissions = Listener.Permissions(mode: 0, owner: nil, group: nil)
    let port = UInt16.random(in: 20000..<30000)
    let socket = try Listener.open(.inet(host: "127.0.0.1", port: port), permissions, backlog: 5)
    try Listener.adopt(descriptor: socket.raw)
    #expect(throws: SystemError.self) {
      _ = try Listener.open(.inet(host: "127.0.0.1", port: port), permissions, backlog: 5)
    }
  }

  @Test func whatDoesNotListenIsNotAdopted() throws {
    let pair = try MessagePair()
    #expect(throws: SystemError.self) { try Listener.adopt(descriptor: pair.first.raw) }
    #expect(throws: SystemError.self) { try Listener.adopt(descriptor: 987) }
  }
}
