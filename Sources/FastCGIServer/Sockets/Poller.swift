internal import CProcess
internal import Glibc

/// epoll(7), level-triggered.
@safe struct Poller: ~Copyable {
  struct Event {
    var descriptor: Int32
    /// Something to read, an end, or an error.
    var isReadable: Bool
    /// Room to write, or an error.
    var isWritable: Bool
  }

  enum Interest {
    case reading
    case writing
    /// Reading; of the processes that wait for the same descriptor only one is woken.
    case readingExclusively

    var mask: UInt32 {
      switch self {
      case .reading: EPOLLIN.rawValue
      case .writing: EPOLLOUT.rawValue
      case .readingExclusively: EPOLLIN.rawValue | 1 << 28  // EPOLLEXCLUSIVE
      }
    }
  }

  private let descriptor: Descriptor
  private var buffer = unsafe [epoll_event](repeating: epoll_event(), count: 32)

  init() throws(SystemError) {
    descriptor = Descriptor(try System.retrying("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
  }

  func add(_ raw: Int32, _ interest: Interest) throws(SystemError) {
    try control(EPOLL_CTL_ADD, raw, interest)
  }

  func change(_ raw: Int32, _ interest: Interest) throws(SystemError) {
    try control(EPOLL_CTL_MOD, raw, interest)
  }

  /// Before a descriptor is closed whose socket another process holds as well: closing alone would leave it here.
  func remove(_ raw: Int32) {
    _ = epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, raw, nil)
  }

  private func control(_ operation: Int32, _ raw: Int32, _ interest: Interest) throws(SystemError) {
    var event = unsafe epoll_event(events: interest.mask, data: epoll_data(fd: raw))
    _ = try System.retrying("epoll_ctl") { unsafe epoll_ctl(descriptor.raw, operation, raw, &event) }
  }

  /// Waits for something to happen, at most `milliseconds` (-1: for ever), into `events`.
  mutating func wait(milliseconds: Int32, into events: inout [Event]) throws(SystemError) {
    events.removeAll(keepingCapacity: true)
    let count = unsafe epoll_wait(descriptor.raw, &buffer, Int32(buffer.count), milliseconds)
    let code = errno
    if count < 0 {
      if code == EINTR { return }
      throw SystemError("epoll_wait", code)
    }
    let failed = EPOLLERR.rawValue | EPOLLHUP.rawValue
    for index in 0..<Int(count) {
      let event = unsafe buffer[index]
      unsafe events.append(
        Event(
          descriptor: event.data.fd,
          isReadable: event.events & (EPOLLIN.rawValue | failed) != 0,
          isWritable: event.events & (EPOLLOUT.rawValue | failed) != 0))
    }
  }
}
