internal import Glibc

/// Sends a request to a pool as a web server would: one GET, on a connection of its own.
package enum PoolClient {
  /// - Parameters:
  ///   - target: e.g. `/ops/status?format=json`.
  ///   - address: where the pool, or its status responder, listens.
  ///   - timeout: for all of it; an answer that is not complete by then is ETIMEDOUT.
  /// - Returns: the body of an answer 200.
  /// - Throws: what went wrong with the connection; EPROTO for any other answer.
  package static func get(_ target: String, from address: ListenAddress, timeout: Duration = .seconds(2))
    throws(SystemError) -> [UInt8]
  {
    var connected = -1 as Int32
    try unsafe SocketAddress.with(address) { (address, length) throws(SystemError) in
      let socket = try SocketAddress.streamSocket(Int32(unsafe address.pointee.sa_family))
      // TCP goes on connecting; the wait below is for that too. A full queue of a Unix socket is EAGAIN at once.
      if unsafe connect(socket.raw, address, length) != 0, errno != EINPROGRESS { throw SystemError("connect", errno) }
      connected = socket.release()
    }
    let connection = ClientConnection(Descriptor(connected), deadline: System.now() + timeout)
    var request = RecordWriter()
    request.record(.beginRequest, 1, [0, 1, 0, 0, 0, 0, 0, 0])
    request.stream(.params, 1, parameters([("REQUEST_METHOD", "GET"), ("REQUEST_URI", target)]))
    request.stream(.stdin, 1, [])
    try connection.send(request.bytes)
    return try body(try standardOutput(connection))
  }

  private static func parameters(_ pairs: [(name: String, value: String)]) -> [UInt8] {
    pairs.flatMap { name, value in
      // Lengths below 128 stand in one byte each.
      [UInt8(truncatingIfNeeded: name.utf8.count & 0x7F), UInt8(truncatingIfNeeded: value.utf8.count & 0x7F)]
        + Array(name.utf8) + Array(value.utf8)
    }
  }

  /// STDOUT, up to the end of the request.
  private static func standardOutput(_ connection: borrowing ClientConnection) throws(SystemError) -> [UInt8] {
    var output: [UInt8] = []
    while true {
      let bytes = try connection.exactly(RecordHeader.length)
      let header = RecordHeader(InlineArray { bytes[$0] })
      let content = try connection.exactly(Int(header.contentLength))
      _ = try connection.exactly(Int(header.paddingLength))
      if header.type == RecordType.endRequest.rawValue { return output }
      if header.type == RecordType.stdout.rawValue { output += content }
      if output.count > 1 << 24 { throw SystemError("read the answer", EPROTO) }
    }
  }

  private static func body(_ output: [UInt8]) throws(SystemError) -> [UInt8] {
    let end = Array("\r\n\r\n".utf8)
    guard let cut = output.indices.first(where: { output[$0...].starts(with: end) }),
      output.starts(with: "Status: 200".utf8)
    else { throw SystemError("read the answer", EPROTO) }
    return Array(output[(cut + end.count)...])
  }

  /// A connection that waits for the other end until its deadline.
  private struct ClientConnection: ~Copyable {
    let socket: Descriptor
    let deadline: Instant

    init(_ socket: consuming Descriptor, deadline: Instant) {
      self.socket = socket
      self.deadline = deadline
    }

    func send(_ bytes: [UInt8]) throws(SystemError) {
      var rest = bytes[...]
      while !rest.isEmpty {
        try wait(for: POLLOUT)
        switch socket.send(rest) {
        case .bytes(let count): rest = rest.dropFirst(count)
        case .wouldBlock: continue
        case .failed(let code): throw SystemError("send", code)
        }
      }
    }

    func exactly(_ count: Int) throws(SystemError) -> [UInt8] {
      var bytes: [UInt8] = []
      while bytes.count < count {
        try wait(for: POLLIN)
        var chunk = [UInt8](repeating: 0, count: count - bytes.count)
        switch socket.receive(into: &chunk) {
        case .bytes(0): throw SystemError("receive", ECONNRESET)
        case .bytes(let received): bytes += chunk[..<received]
        case .wouldBlock: continue
        case .failed(let code): throw SystemError("receive", code)
        }
      }
      return bytes
    }

    private func wait(for event: Int32) throws(SystemError) {
      var descriptor = pollfd(fd: socket.raw, events: Int16(event), revents: 0)
      let ready = try System.retrying("poll") {
        unsafe poll(&descriptor, 1, deadline.milliseconds(from: System.now()))
      }
      if ready == 0 { throw SystemError("wait for an answer", ETIMEDOUT) }
    }
  }
}
