import Glibc

/// What tells this host from others: its name, or the first letters of `/etc/machine-id` behind it where there is one.
enum HostName {
  static let current: String = {
    var name = [CChar](repeating: 0, count: 256)
    let isKnown = unsafe gethostname(&name, name.count - 1) == 0
    let host = isKnown ? String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "host"
    let identity = FileContents.read("/etc/machine-id", limit: 4_096).map { String(decoding: $0.prefix(8), as: UTF8.self) }
    return identity.map { $0.count == 8 ? "\(host)/\($0)" : host } ?? host
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
