import Foundation

/// What a system call said when a test's socket failed.
package struct SocketError: Error, CustomStringConvertible {
  let operation: String
  let code: Int32

  package var description: String { "\(operation): \(unsafe String(cString: strerror(code)))" }
}

/// A blocking stream socket: bytes out, bytes in, a time-out on both.
package final class Socket {
  private let descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Connects to a port of 127.0.0.1.
  package static func loopback(port: UInt16) throws -> Socket {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    return try connected(family: AF_INET, to: &address)
  }

  /// Connects to a unix socket whose path has at most 107 bytes.
  package static func unix(path: String) throws -> Socket {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
      unsafe field.copyBytes(from: path.utf8.prefix(107))
    }
    return try connected(family: AF_UNIX, to: &address)
  }

  private static func connected<Address>(family: Int32, to address: inout Address) throws -> Socket {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError(operation: "socket", code: errno) }
    let connection = Socket(descriptor: descriptor)
    var patience = timeval(tv_sec: 40, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
    var flag: Int32 = 1
    unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &flag, socklen_t(MemoryLayout<Int32>.size))
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe connect(descriptor, generic, socklen_t(MemoryLayout<Address>.size))
      }
    }
    guard status == 0 else { throw SocketError(operation: "connect", code: errno) }
    return connection
  }

  package func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.send(descriptor, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SocketError(operation: "send", code: errno) }
      sent += count
    }
  }

  /// The next bytes, none at the end of the stream.
  package func receive() throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress!, $0.count, 0) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw SocketError(operation: "recv", code: errno) }
      return Array(buffer.prefix(count))
    }
  }
}
