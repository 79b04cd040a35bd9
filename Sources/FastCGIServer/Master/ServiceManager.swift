internal import Glibc

/// What systemd hands to a service, and what the service reports: sd_listen_fds(3) and sd_notify(3).
struct ServiceManager {
  /// Listening sockets by name (`FileDescriptorName=`); unnamed ones are called by their number.
  private var sockets: [(name: String, descriptor: Int32)] = []
  /// Empty: nothing listens.
  private let notifySocket: [UInt8]

  private static let firstSocket: Int32 = 3

  /// Removes the variables from the environment, so that no child takes them for its own.
  init() {
    var values: [String: String] = [:]
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"] {
      values[name] = unsafe getenv(name).map { unsafe String(cString: $0) }
      unsafe unsetenv(name)
    }
    notifySocket = Array((values["NOTIFY_SOCKET"] ?? "").utf8)
    guard values["LISTEN_PID"].flatMap({ Int32($0) }) == getpid(),
      let count = values["LISTEN_FDS"].flatMap({ Int32($0) }),
      (1...64).contains(count)
    else { return }
    let names = (values["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false).map(
      String.init)
    for index in 0..<count {
      let name = names.indices.contains(Int(index)) ? names[Int(index)] : ""
      sockets.append((name.isEmpty ? "\(index)" : name, Self.firstSocket + index))
    }
  }

  /// The socket for a role: the one of its name, or, for the pool's own, the first one without the name of another role.
  mutating func takeSocket(for role: String, others: [String], isPool: Bool) -> Int32? {
    let index =
      sockets.firstIndex { $0.name == role }
      ?? (isPool ? sockets.firstIndex { !others.contains($0.name) } : nil)
    return index.map { sockets.remove(at: $0).descriptor }
  }

  /// Sends lines such as `READY=1`. Without a service manager it does nothing.
  func notify(_ lines: String...) {
    guard !notifySocket.isEmpty else { return }
    var address = sockaddr_un()
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard notifySocket.count < room else { return }
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
      unsafe path.copyBytes(from: notifySocket)
      // An abstract name begins with a NUL, written as an at sign.
      if notifySocket[0] == UInt8(ascii: "@") { unsafe path[0] = 0 }
    }
    let family = MemoryLayout<sa_family_t>.size
    let isAbstract = notifySocket[0] == UInt8(ascii: "@")
    let length = socklen_t(family + notifySocket.count + (isAbstract ? 0 : 1))
    let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard raw >= 0 else { return }
    let own = Descriptor(raw)
    let text = Array(lines.joined(separator: "\n").utf8)
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        _ = unsafe sendto(own.raw, text, text.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), rebound, length)
      }
    }
  }

  func notifyReloading() {
    notify("RELOADING=1", "MONOTONIC_USEC=\(System.now().nanoseconds / 1000)")
  }
}
