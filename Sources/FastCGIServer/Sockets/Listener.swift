internal import CProcess
internal import Glibc

/// A socket that a web server connects to, with the hand-off queue of the workers that accept from it. In the master.
final class Listener {
  let address: ListenAddress
  let socket: Descriptor
  let handoffs: HandoffQueue
  /// The socket was handed to this process: its file is not ours to remove.
  private let isInherited: Bool

  init(_ address: ListenAddress, _ configuration: Master.Configuration, inherited: Int32?) throws(SystemError) {
    self.address = address
    isInherited = inherited != nil
    if let inherited {
      try Self.adopt(descriptor: inherited)
      socket = try Descriptor(inherited).high()
    } else {
      socket = try Self.open(
        address,
        .init(mode: configuration.socketMode, owner: configuration.socketOwner, group: configuration.socketGroup),
        backlog: configuration.backlog)
    }
    let pair = try MessagePair()
    handoffs = HandoffQueue(receiving: pair.first, sending: pair.second)
  }

  /// Removes the socket's file, so that no new connection comes. Those in the queue are still accepted.
  func close() {
    if case .unix(let path) = address, !isInherited { _ = unsafe unlink(path) }
  }
}

/// What a worker needs of it, by its descriptor.
extension Listener {
  /// Checks an inherited descriptor and makes it ready for `accept`.
  static func adopt(descriptor raw: Int32) throws(SystemError) {
    var isListening: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    let operation = "descriptor \(raw) as the listening socket"
    _ = try System.retrying(operation) { unsafe getsockopt(raw, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) }
    if isListening == 0 { throw SystemError(operation, EINVAL) }
    let flags = try System.retrying(operation) { fcntl(raw, F_GETFL) }
    _ = try System.retrying(operation) { fcntl(raw, F_SETFL, flags | O_NONBLOCK) }
  }

  /// A connection, non-blocking and close-on-exec.
  static func accept(_ raw: Int32) throws(SystemError) -> Descriptor {
    Descriptor(try System.checked("accept", cprocess_accept(raw)))
  }
}

/// Opening.
extension Listener {
  struct Permissions {
    var mode: UInt32
    var owner: String?
    var group: String?
  }

  /// Another process listens there.
  static func inUse(_ address: ListenAddress) -> SystemError {
    SystemError("listen on \(address): another process serves there", EADDRINUSE)
  }

  /// Listens, close-on-exec and non-blocking.
  static func open(_ address: ListenAddress, _ permissions: Permissions, backlog: Int32) throws(SystemError)
    -> Descriptor
  {
    switch address {
    case .unix(let path): try openUnix(path, permissions, backlog)
    case .inet(let host, let port): try openInet(host, port, backlog)
    }
  }

  /// Listens under a name beside `path` and then takes over `path` itself, so that it is there with its permissions or
  /// not at all.
  private static func openUnix(_ path: String, _ permissions: Permissions, _ backlog: Int32) throws(SystemError)
    -> Descriptor
  {
    let folder = try lockFolder(of: path)
    defer { _ = flock(folder.raw, LOCK_UN) }
    if try hasListener(path) { throw inUse(.unix(path: path)) }
    let draft = "\(path).\(getpid())"
    _ = unsafe unlink(draft)
    let socket = try SocketAddress.streamSocket(AF_UNIX)
    try unsafe SocketAddress.withUnix(draft) { (address, length) throws(SystemError) in
      _ = try System.retrying("bind \(path)") { unsafe bind(socket.raw, address, length) }
    }
    do {
      try apply(permissions, to: draft)
      _ = try System.retrying("listen \(path)") { Glibc.listen(socket.raw, backlog) }
      _ = try System.retrying("rename to \(path)") { unsafe rename(draft, path) }
    } catch {
      _ = unsafe unlink(draft)
      throw error
    }
    return try socket.high()
  }

  /// Held while the path is looked at and taken over, so that of two processes that start at once one sees the other.
  private static func lockFolder(of path: String) throws(SystemError) -> Descriptor {
    let cut = path.lastIndex(of: "/")
    let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let descriptor = Descriptor(
      try System.retrying("open \(folder)") { unsafe Glibc.open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
    _ = try System.retrying("flock \(folder)") { flock(descriptor.raw, LOCK_EX) }
    return descriptor
  }

  /// True when a process listens there; false when nothing or a socket without a process is there. Anything else at the
  /// path throws.
  private static func hasListener(_ path: String) throws(SystemError) -> Bool {
    var found = stat()
    if unsafe lstat(path, &found) != 0 {
      let code = errno
      if code == ENOENT { return false }
      throw SystemError("lstat \(path)", code)
    }
    if found.st_mode & S_IFMT != S_IFSOCK { throw SystemError("listen on \(path): not a socket", EEXIST) }
    // Workers whose master was killed finish what they have; their socket is closed with the last of them.
    let deadline = System.now() + .seconds(3)
    while true {
      let probe = try SocketAddress.streamSocket(AF_UNIX)
      var code: Int32 = 0
      try unsafe SocketAddress.withUnix(path) { (address, length) throws(SystemError) in
        if unsafe connect(probe.raw, address, length) != 0 { code = errno }
      }
      if code == ECONNREFUSED || code == ENOENT { return false }
      // EAGAIN: the listen queue is full, so there is one.
      if code != 0 && code != EAGAIN { throw SystemError("connect \(path)", code) }
      let owner = code == 0 ? cprocess_peer_process(probe.raw) : 0
      let isOrphan = owner > 0 && kill(owner, 0) != 0 && errno == ESRCH
      if !isOrphan || System.now() > deadline { return true }
      _ = poll(nil, 0, 50)
    }
  }

  private static func apply(_ permissions: Permissions, to path: String) throws(SystemError) {
    var user = uid_t.max
    var group = gid_t.max
    if let name = permissions.owner {
      guard let entry = unsafe getpwnam(name) else { throw SystemError("user \(name)", ENOENT) }
      user = unsafe entry.pointee.pw_uid
    }
    if let name = permissions.group {
      guard let entry = unsafe getgrnam(name) else { throw SystemError("group \(name)", ENOENT) }
      group = unsafe entry.pointee.gr_gid
    }
    if user != uid_t.max || group != gid_t.max {
      _ = try System.retrying("chown \(path)") { unsafe chown(path, user, group) }
    }
    _ = try System.retrying("chmod \(path)") { unsafe chmod(path, mode_t(permissions.mode)) }
  }

  private static func openInet(_ host: String, _ port: UInt16, _ backlog: Int32) throws(SystemError) -> Descriptor {
    let name = "\(ListenAddress.inet(host: host, port: port))"
    var opened: Int32 = -1
    try unsafe SocketAddress.withInet(host, port) { (address, length) throws(SystemError) in
      let socket = try SocketAddress.streamSocket(Int32(unsafe address.pointee.sa_family))
      var on: Int32 = 1
      _ = unsafe setsockopt(socket.raw, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
      do throws(SystemError) {
        _ = try System.retrying("bind \(name)") { unsafe bind(socket.raw, address, length) }
        _ = try System.retrying("listen \(name)") { Glibc.listen(socket.raw, backlog) }
      } catch {
        if error.code == EADDRINUSE { throw inUse(.inet(host: host, port: port)) }
        throw error
      }
      opened = try socket.high().release()
    }
    return Descriptor(opened)
  }
}

/// How long connections wait to be accepted. The system does not say when a connection came; but a queue is first in,
/// first out, so from the numbers of accepted and waiting connections at one moment follows, later on, up to which
/// connection all had come by then.
struct QueueAge {
  /// Between two samples of the queue; a connection is known to be too old at most that much later.
  let interval: Duration
  private let limit: Duration
  /// How many connections had come by when, oldest first.
  private var samples: [(moment: Instant, arrived: UInt64)] = []

  init(limit: Duration) {
    self.limit = limit
    interval = min(.milliseconds(500), max(.milliseconds(20), limit / 10))
  }

  /// - Returns: up to which connection, counted from the start, all have waited longer than the limit and are still
  ///   waiting; 0 if none does.
  mutating func sample(now: Instant, accepted: UInt64, waiting: Int) -> UInt64 {
    samples.append((now, accepted &+ UInt64(clamping: waiting)))
    // The newest that is old enough says all that older ones say.
    while samples.count > 1, samples[1].moment + limit <= now { samples.removeFirst() }
    guard let oldest = samples.first, oldest.moment + limit <= now, oldest.arrived > accepted else { return 0 }
    return oldest.arrived
  }
}
