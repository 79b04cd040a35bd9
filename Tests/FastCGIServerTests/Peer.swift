import Foundation
import Testing

@testable import FastCGIServer

/// A web server's end of a connection.
final class Peer {
  struct Answer: Equatable {
    var status: Int
    var fields: [String: String]
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  enum Failure: Error, Equatable {
    case cannotConnect(Int32)
    case timedOut
    case ended
    case notAnAnswer
  }

  let socket: Int32
  /// Of one receive.
  private static let timeout = Duration.seconds(10)

  init(_ path: String) throws {
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    let result = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result != 0 {
      let code = errno
      _ = close(socket)
      throw Failure.cannotConnect(code)
    }
    var time = timeval(tv_sec: Int(Self.timeout.components.seconds), tv_usec: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { _ = close(socket) }

  /// False when the other end is gone.
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var start = 0
    while start < bytes.count {
      let count = unsafe bytes[start...].withUnsafeBytes {
        unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      start += count
    }
    return true
  }

  func endSending() { _ = shutdown(socket, Int32(SHUT_WR)) }

  /// Empty at the end.
  func receive(_ maximum: Int = 65536) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: maximum)
    let count = unsafe recv(socket, &bytes, maximum, 0)
    let code = errno
    if count < 0 { throw code == EAGAIN ? Failure.timedOut : Failure.ended }
    return Array(bytes[..<count])
  }

  private func exactly(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let more = try receive(count - bytes.count)
      if more.isEmpty { throw Failure.ended }
      bytes += more
    }
    return bytes
  }

  func record() throws -> (type: UInt8, id: Int, content: [UInt8]) {
    let header = try exactly(8)
    let content = try exactly(Int(header[4]) << 8 | Int(header[5]))
    _ = try exactly(Int(header[6]))
    return (header[1], Int(header[2]) << 8 | Int(header[3]), content)
  }

  /// Everything up to END_REQUEST.
  func answer() throws -> Answer {
    var bytes: [UInt8] = []
    var hasEnded = false
    while true {
      let (type, _, content) = try record()
      switch type {
      case 6:
        if hasEnded { throw Failure.notAnAnswer }
        bytes += content
        hasEnded = content.isEmpty
      case 3 where hasEnded && content == [UInt8](repeating: 0, count: 8): return try Self.parse(bytes)
      default: throw Failure.notAnAnswer
      }
    }
  }

  private static func parse(_ bytes: [UInt8]) throws -> Answer {
    guard let end = bytes.indices.dropLast(3).first(where: { Array(bytes[$0..<($0 + 4)]) == [13, 10, 13, 10] }) else {
      throw Failure.notAnAnswer
    }
    var fields: [String: String] = [:]
    for line in String(decoding: bytes[..<end], as: UTF8.self).components(separatedBy: "\r\n") {
      let parts = line.components(separatedBy: ": ")
      fields[parts[0]] = parts.dropFirst().joined(separator: ": ")
    }
    guard let status = fields["Status"].flatMap({ Int($0.prefix(3)) }) else { throw Failure.notAnAnswer }
    return Answer(status: status, fields: fields, body: Array(bytes[(end + 4)...]))
  }

  /// One request and its answer.
  func ask(_ uri: String, body: [UInt8] = [], keeps: Bool = false) throws -> Answer {
    if !send(Self.request(uri, body: body, keeps: keeps)) { throw Failure.ended }
    return try answer()
  }

  static func request(_ uri: String, body: [UInt8] = [], keeps: Bool = false) -> [UInt8] {
    Records.request(
      [("REQUEST_METHOD", body.isEmpty ? "GET" : "POST"), ("REQUEST_URI", uri)], body: body, keeps: keeps)
  }

  /// The web server may use the connection again.
  func isKept() throws -> Bool {
    var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, 100) == 0
  }
}

extension Peer {
  /// Something came, or the end, without waiting.
  func hasMore() -> Bool {
    var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&waiting, 1, 0) != 0
  }
}
