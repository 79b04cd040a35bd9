internal import Glibc

/// A file, pipe or socket that lines go to, each in one write that does not wait. A line for which there is no room is
/// dropped: a full disk, or a reader that does not read, never delays a worker.
final class LogFile {
  private enum Target {
    /// To be opened, also again.
    case path(String)
    /// Standard error, as this process got it.
    case standardError
  }

  private let target: Target
  private var descriptor: Int32 = -1
  private var isSocket = false
  /// A write blocks if there is no room: `poll` comes first.
  private var mayBlock = false
  /// The last line was cut: the next one begins with an end of line.
  private var isTorn = false

  /// Appends to the file at `path`, which is created if need be. If that fails, each line tries again.
  init(path: String) {
    target = .path(path)
    _ = open()
  }

  /// False if the file cannot be opened: lines are dropped.
  var isOpen: Bool { descriptor >= 0 }

  /// Standard error.
  init() {
    target = .standardError
    var status = stat()
    descriptor = STDERR_FILENO
    guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFSOCK:
      isSocket = true
    case S_IFIFO, S_IFCHR:
      // Opened anew, as O_NONBLOCK on the inherited one would hold for all processes that have it.
      let own = unsafe Glibc.open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
      if own >= 0 { descriptor = own } else { mayBlock = true }
    default:
      break
    }
  }

  deinit { closeOwn() }

  private func closeOwn() {
    if descriptor > STDERR_FILENO { _ = close(descriptor) }
    descriptor = -1
  }

  /// errno, or 0.
  private func open() -> Int32 {
    guard case .path(let path) = target else { return 0 }
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    let opened = unsafe Glibc.open(path, flags, 0o640)
    if opened < 0 { return errno }
    closeOwn()
    descriptor = opened
    isTorn = false
    return 0
  }

  /// After the file was moved away. If it cannot be opened, the old one stays.
  func reopen() { _ = open() }

  /// Writes `line`, to which the end of line is added; false if it was dropped.
  func write(_ line: inout [UInt8]) -> Bool {
    if descriptor < 0 && open() != 0 { return false }
    line.append(0x0a)
    if isTorn { line.insert(0x0a, at: 0) }
    if mayBlock {
      var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      if unsafe poll(&room, 1, 0) != 1 || line.count > 4096 { return false }
    }
    let count = unsafe line.withUnsafeBytes { bytes in
      isSocket
        ? unsafe send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        : unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
    }
    if count <= 0 { return false }
    isTorn = count < line.count
    return !isTorn
  }
}
