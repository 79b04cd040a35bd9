internal import Glibc

/// Addresses of sockets as the system takes them, and sockets for them.
enum SocketAddress {
  /// - Parameter body: is handed the address and its length.
  static func with(
    _ address: ListenAddress, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    switch address {
    case .unix(let path): try unsafe withUnix(path, body)
    case .inet(let host, let port): try unsafe withInet(host, port, body)
    }
  }

  /// A path longer than the address has room for is reached through its directory.
  static func withUnix(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    var address = sockaddr_un()
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    var name = path
    var directory: Int32 = -1
    defer { if directory >= 0 { _ = close(directory) } }
    if path.utf8.count > room {
      let cut = path.lastIndex(of: "/") ?? path.startIndex
      let folder = String(path[..<cut])
      directory = try System.retrying("open \(folder)") {
        unsafe Glibc.open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      }
      name = "/proc/self/fd/\(directory)/\(path[path.index(after: cut)...])"
      if name.utf8.count > room { throw SystemError("socket name too long: \(path)", ENAMETOOLONG) }
    }
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name.utf8) }
    var result: Result<Void, SystemError> = .success(())
    unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        do throws(SystemError) {
          try unsafe body(rebound, socklen_t(MemoryLayout<sockaddr_un>.size))
        } catch {
          result = .failure(error)
        }
      }
    }
    try result.get()
  }

  /// The first address that the name stands for.
  static func withInet(
    _ host: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Void
  ) throws(SystemError) {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_PASSIVE
    var list: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = unsafe list,
      let address = unsafe first.pointee.ai_addr
    else {
      throw SystemError("resolve \(ListenAddress.inet(host: host, port: port))", EADDRNOTAVAIL)
    }
    defer { unsafe freeaddrinfo(first) }
    try unsafe body(UnsafePointer(address), first.pointee.ai_addrlen)
  }

  /// Close-on-exec and non-blocking.
  static func streamSocket(_ family: Int32) throws(SystemError) -> Descriptor {
    let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    return Descriptor(try System.retrying("socket") { socket(family, flags, 0) })
  }
}
