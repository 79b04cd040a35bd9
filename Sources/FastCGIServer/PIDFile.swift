internal import Glibc

/// A file that names this process, there as long as the value is.
final class PIDFile {
  private let path: String

  /// Written beside and renamed, so that a reader finds all of it or nothing.
  init(_ path: String) throws(SystemError) {
    self.path = path
    let draft = "\(path).\(getpid())"
    let file = Descriptor(
      try System.retrying("create \(path)") { unsafe open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) })
    let text = Array("\(getpid())\n".utf8)
    _ = try System.retrying("write \(path)") { unsafe write(file.raw, text, text.count) }
    _ = try System.retrying("rename to \(path)") { unsafe rename(draft, path) }
  }

  deinit {
    _ = unsafe unlink(path)
  }
}
