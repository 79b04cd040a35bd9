import Glibc

/// What tells this host from others: its name, and the first letters of `/etc/machine-id` if there is one.
enum HostName {
  static let current: String = {
    var name = [CChar](repeating: 0, count: 256)
    let isKnown = unsafe gethostname(&name, name.count - 1) == 0
    let host = isKnown ? String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "host"
    guard let identity = FileContents.read("/etc/machine-id", limit: 4_096), identity.count >= 8 else { return host }
    return "\(host)/" + String(decoding: identity.prefix(8), as: UTF8.self)
  }()
}

/// Paths of files.
enum FilePath {
  /// The same file by its folder's own name, however it is reached; `path` itself if that can't be found out.
  static func resolved(_ path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    let folder = slash == path.startIndex ? "/" : String(path[..<slash])
    guard let found = unsafe realpath(folder, nil) else { return path }
    defer { unsafe free(found) }
    let real = unsafe String(cString: found)
    return (real == "/" ? "" : real) + path[slash...]
  }
}
