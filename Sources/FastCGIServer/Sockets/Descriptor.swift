internal import Glibc

/// A file descriptor that is open, and closed once: when the value ends.
struct Descriptor: ~Copyable {
  let raw: Int32

  /// Takes over an open descriptor.
  init(_ raw: Int32) {
    self.raw = raw
  }

  deinit {
    // Linux closes it in any case, also when it says EINTR.
    _ = close(raw)
  }

  /// Gives up the descriptor, which stays open.
  consuming func release() -> Int32 {
    let raw = raw
    discard self
    return raw
  }

  /// `/dev/null`, close-on-exec and at least 10.
  static func null() throws(SystemError) -> Descriptor {
    try Descriptor(
      System.retrying("open /dev/null") { unsafe open("/dev/null", O_RDWR | O_CLOEXEC) }
    ).high()
  }

  /// A close-on-exec duplicate that is at least 10, clear of a child's numbered descriptors.
  func high() throws(SystemError) -> Descriptor {
    Descriptor(try System.retrying("fcntl F_DUPFD_CLOEXEC") { fcntl(raw, F_DUPFD_CLOEXEC, 10) })
  }

  func setCloseOnExec() {
    _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
  }

  /// What one transfer without blocking did.
  enum Transfer: Equatable {
    /// So many bytes; 0 when reading: the end.
    case bytes(Int)
    case wouldBlock
    /// errno.
    case failed(Int32)

    fileprivate init(_ count: Int) {
      let code = errno
      if count >= 0 {
        self = .bytes(count)
      } else {
        self = code == EAGAIN ? .wouldBlock : .failed(code)
      }
    }
  }

  /// A broken connection is a result, not a signal.
  private static let withoutBlocking = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)

  func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
    while true {
      let result = unsafe Transfer(
        bytes.withUnsafeBytes { unsafe Glibc.send(raw, $0.baseAddress, $0.count, Self.withoutBlocking) })
      if result != .failed(EINTR) { return result }
    }
  }

  func receive(into bytes: inout [UInt8]) -> Transfer {
    while true {
      let result = unsafe Transfer(recv(raw, &bytes, bytes.count, Self.withoutBlocking))
      if result != .failed(EINTR) { return result }
    }
  }

  /// Bytes have come that have not been read.
  func hasBytes() -> Bool {
    var byte: UInt8 = 0
    return unsafe recv(raw, &byte, 1, Self.withoutBlocking | Int32(MSG_PEEK)) > 0
  }
}

/// A connected pair that keeps the bounds of messages.
struct MessagePair: ~Copyable {
  let first: Descriptor
  let second: Descriptor

  init() throws(SystemError) {
    var pair: [Int32] = [-1, -1]
    _ = try System.retrying("socketpair") {
      unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair)
    }
    let low = Descriptor(pair[0])
    let other = Descriptor(pair[1])
    let one = try low.high()
    let two = try other.high()
    first = one
    second = two
  }
}
