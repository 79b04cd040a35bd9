internal import Glibc

/// A moment of the monotonic clock after which one gives up.
struct PostgresDeadline {
  private let milliseconds: Int64

  init(in milliseconds: Int) {
    self.milliseconds = Self.now.addingReportingOverflow(Int64(milliseconds)).partialValue
  }

  var hasPassed: Bool { milliseconds <= Self.now }

  /// What poll(2) takes: 0 once it has passed.
  var remaining: Int32 { Int32(clamping: max(0, milliseconds - Self.now)) }

  private static var now: Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Waits until `descriptor` is ready for `events`, or for an error that the next call on it will report.
  ///
  /// - Returns: `false` once the deadline has passed.
  func wait(for descriptor: Int32, _ events: Int32) -> Bool {
    guard descriptor >= 0 else { return true }
    while true {
      var entry = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
      let left = remaining
      let ready = unsafe poll(&entry, 1, left)
      if ready > 0 { return true }
      if ready == 0, left == 0 || hasPassed { return false }
      if ready < 0, errno != EINTR { return true }
    }
  }
}
