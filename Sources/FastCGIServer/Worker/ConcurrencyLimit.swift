internal import Glibc

/// Keeps one kind of work from taking all workers of a pool: at most three quarters of them, and never the last one, do
/// it at once. A pool of one worker, and a worker without a master, have no limit.
///
/// A worker at it holds a permit of the pool (``Scoreboard/acquire(permit:)``), which the system takes back from a
/// process that ends, however it ends: so no permit is lost, also while a reload replaces the workers.
package final class ConcurrencyLimit {
  private var scoreboard: Scoreboard?
  private var slot = 0
  private var held: Int?
  /// Until then a request without a permit does not wait: the last wait was in vain.
  private var failsFastUntil = Instant(nanoseconds: 0)

  /// How long to wait for a permit: work at its usual speed frees one within that.
  static let maximumWait = Duration.milliseconds(100)
  /// After a wait in vain the next ones do not wait: the worker is needed for other requests.
  static let failFastPeriod = Duration.milliseconds(500)
  private static let pauseMicroseconds: UInt32 = 500

  /// Without a limit, until it is attached to a pool.
  package init() {}

  func attach(_ scoreboard: Scoreboard, slot: Int) {
    self.scoreboard = scoreboard
    self.slot = slot
  }

  /// How many of so many workers may do it at once; nil: all.
  static func permits(workers: Int) -> Int? { workers < 2 ? nil : workers - max(1, workers / 4) }

  /// Takes a permit, which `leave()` gives back when the work is done.
  ///
  /// - Parameter isLikelySlow: of such work there is one at a time, so that it leaves room for the rest.
  /// - Returns: false if there is none, at once or after some milliseconds.
  package func enter(isLikelySlow: Bool = false) -> Bool {
    guard held == nil, let scoreboard, let permits = Self.permits(workers: scoreboard.workers) else { return true }
    if isLikelySlow {
      if scoreboard.acquire(permit: permits - 1) { held = permits - 1 }
      return held != nil
    }
    if take(of: permits, scoreboard) { return true }
    let start = System.now()
    if start < failsFastUntil { return false }
    repeat {
      usleep(Self.pauseMicroseconds)
      if take(of: permits, scoreboard) { return true }
    } while System.now() < start + Self.maximumWait
    failsFastUntil = System.now() + Self.failFastPeriod
    return false
  }

  package func leave() {
    guard let permit = held else { return }
    held = nil
    scoreboard?.release(permit: permit)
  }

  /// Each worker has a permit that it tries first: as long as there is room, that is the only call.
  private func take(of permits: Int, _ scoreboard: Scoreboard) -> Bool {
    held = (0..<permits).lazy.map { (self.slot + $0) % permits }.first { scoreboard.acquire(permit: $0) }
    return held != nil
  }
}

@available(*, unavailable)
extension ConcurrencyLimit: Sendable {}
