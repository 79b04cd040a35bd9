internal import Glibc

/// A file that names this process, removed when the value ends.
final class PIDFile {
  private let path: String

  /// Written under another name and renamed, so that a reader finds all of it or nothing.
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
