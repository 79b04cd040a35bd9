internal import Glibc

/// What systemd hands to a service, and what it likes to be told: sd_listen_fds(3) and sd_notify(3).
struct ServiceManager {
  /// Listening sockets by name (`FileDescriptorName=`); unnamed ones are called by their number.
  private var sockets: [(name: String, descriptor: Int32)] = []
  private let notifies: [UInt8]

  private static let firstSocket: Int32 = 3

  /// Takes what the environment says, so that no child takes it for its own.
  init() {
    var values: [String: String] = [:]
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET"] {
      values[name] = unsafe getenv(name).map { unsafe String(cString: $0) }
      unsafe unsetenv(name)
    }
    notifies = Array((values["NOTIFY_SOCKET"] ?? "").utf8)
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

  /// The socket for a role: the one of its name, or, for the pool's own, the first one that bears no other role's.
  mutating func takeSocket(for role: String, others: [String], isPools: Bool) -> Int32? {
    let index =
      sockets.firstIndex { $0.name == role }
      ?? (isPools ? sockets.firstIndex { !others.contains($0.name) } : nil)
    return index.map { sockets.remove(at: $0).descriptor }
  }

  /// Sends lines such as `READY=1`. Nobody who listens is no error.
  func tell(_ lines: String...) {
    guard !notifies.isEmpty else { return }
    var address = sockaddr_un()
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard notifies.count < room else { return }
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
      unsafe path.copyBytes(from: notifies)
      // A name that lies in no folder begins with a NUL, written as an at sign.
      if notifies[0] == UInt8(ascii: "@") { unsafe path[0] = 0 }
    }
    let family = MemoryLayout<sa_family_t>.size
    let isAbstract = notifies[0] == UInt8(ascii: "@")
    let length = socklen_t(family + notifies.count + (isAbstract ? 0 : 1))
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

  func tellReloading() {
    tell("RELOADING=1", "MONOTONIC_USEC=\(System.now().nanoseconds / 1000)")
  }
}
