internal import Glibc

/// Keeps one kind of work from taking all workers of a pool: at most three quarters of them, and not the last one, are at
/// it at once. A pool of one worker, and a worker without a master, have no limit.
///
/// Whoever is at it holds a place of the pool's (``Board/hold(place:)``), which the system takes back from a process that
/// ends, however it ends: so no place is lost, also while a reload replaces the workers.
package final class ConcurrencyLimit {
  private var board: Board?
  private var slot = 0
  private var held: Int?
  /// Until then nobody waits here: it was in vain a moment ago.
  private var hurriesUntil = Instant(nanoseconds: 0)

  /// Whoever finds no place waits for one so long: work that goes on as it should makes room within that.
  static let patience = Duration.milliseconds(100)
  /// Where none was made, the next ones do not wait: the worker is needed for others.
  static let hurry = Duration.milliseconds(500)
  private static let pauseMicroseconds: UInt32 = 500

  /// Without a limit, until it is attached to a pool.
  package init() {}

  func attach(_ board: Board, slot: Int) {
    self.board = board
    self.slot = slot
  }

  /// How many of so many workers may be at it; nil: all.
  static func places(workers: Int) -> Int? { workers < 2 ? nil : workers - max(1, workers / 4) }

  /// Takes a place, which is to be left when the work is done.
  ///
  /// - Parameter isLikelySlow: of such work there is one at a time, so that it leaves room for the rest.
  /// - Returns: false where there is none, at once or after some milliseconds.
  package func enter(isLikelySlow: Bool = false) -> Bool {
    guard held == nil, let board, let places = Self.places(workers: board.workers) else { return true }
    if isLikelySlow {
      if board.hold(place: places - 1) { held = places - 1 }
      return held != nil
    }
    if take(of: places, board) { return true }
    let start = System.now()
    if start < hurriesUntil { return false }
    repeat {
      usleep(Self.pauseMicroseconds)
      if take(of: places, board) { return true }
    } while System.now() < start + Self.patience
    hurriesUntil = System.now() + Self.hurry
    return false
  }

  package func leave() {
    guard let place = held else { return }
    held = nil
    board?.letGo(of: place)
  }

  /// Each worker has a place that it tries first: as long as there is room, that is the only call.
  private func take(of places: Int, _ board: Board) -> Bool {
    held = (0..<places).lazy.map { (self.slot + $0) % places }.first { board.hold(place: $0) }
    return held != nil
  }
}

@available(*, unavailable)
extension ConcurrencyLimit: Sendable {}
