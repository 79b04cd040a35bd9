import CartDomain
import Glibc

/// What Redis's clock shows, reckoned from the machine's own.
///
/// A change says until when it may be carried out, and Redis compares that with its own time. So the estimate is never
/// ahead of Redis: at the latest when an answer arrives, the time in it had come.
struct RedisClock {
  /// What must be added to the monotonic clock; `nil` before the first answer.
  private var offset: Int64?

  /// Takes in the time that Redis gave in an answer.
  ///
  /// - Parameters:
  ///   - time: milliseconds since 1970.
  ///   - sent, received: the monotonic clock around the exchange.
  mutating func learn(_ time: Int64, sent: Int64, received: Int64) {
    guard (0...(1 << 53)).contains(time) else { return }
    let minimum = time - received
    let maximum = time - sent
    offset = min(max(offset ?? minimum, minimum), maximum)
  }

  /// Redis's time at `moment` of the monotonic clock, or the machine's where Redis has never answered.
  func time(at moment: Int64) -> Timestamp {
    guard let offset else { return Timestamp(milliseconds: Self.milliseconds(CLOCK_REALTIME)) }
    return Timestamp(milliseconds: moment + offset)
  }

  /// The monotonic clock, in milliseconds.
  static var monotonic: Int64 { milliseconds(CLOCK_MONOTONIC) }

  private static func milliseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
