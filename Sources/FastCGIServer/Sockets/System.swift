internal import Glibc

/// A system call that failed.
package struct SystemError: Error, CustomStringConvertible {
  /// What was tried, e.g. "bind /run/cart.sock".
  package let operation: String
  /// errno(3).
  package let code: Int32

  package init(_ operation: String, _ code: Int32) {
    self.operation = operation
    self.code = code
  }

  package var description: String {
    "\(operation): \(unsafe String(cString: strerror(code)))"
  }
}

/// System calls: retried after a signal, and errno read at once.
enum System {
  /// Calls until the call is not interrupted; a negative result throws errno.
  static func retrying<Result: SignedInteger>(
    _ operation: @autoclosure () -> String, _ call: () -> Result
  ) throws(SystemError) -> Result {
    while true {
      let result = call()
      if result >= 0 { return result }
      let code = errno
      if code != EINTR { throw SystemError(operation(), code) }
    }
  }

  /// For CProcess, which returns a negative errno.
  static func checked(_ operation: @autoclosure () -> String, _ result: Int32) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(operation(), -result) }
    return result
  }

  /// The monotonic clock: the same in all processes, so that a deadline can be handed to another one.
  static func now() -> Instant {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec))
  }
}

extension Duration {
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds &* 1_000_000_000 &+ attoseconds / 1_000_000_000
  }
}

/// A moment of the monotonic clock.
struct Instant: Comparable, Hashable, Sendable {
  var nanoseconds: Int64

  static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

  static func + (moment: Self, duration: Duration) -> Self {
    Instant(nanoseconds: moment.nanoseconds &+ duration.nanoseconds)
  }

  static func - (later: Self, earlier: Self) -> Duration {
    .nanoseconds(later.nanoseconds &- earlier.nanoseconds)
  }

  /// What epoll_wait(2) takes: whole milliseconds until this moment, rounded up, 0 when it has passed.
  func milliseconds(from now: Instant) -> Int32 {
    if self <= now { return 0 }
    let left = (nanoseconds &- now.nanoseconds) / 1_000_000
    return Int32(clamping: left &+ 1)
  }
}
