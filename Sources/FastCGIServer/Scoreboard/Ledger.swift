internal import Glibc

/// The master's hand on the scoreboard.
final class Ledger {
  let file: Descriptor
  let board: Board

  init() throws(SystemError) {
    file = try Board.file()
    board = try Board(master: file)
    board.master.write { page in
      page.set(Score.process, UInt64(clamping: getpid()))
      page.set(Score.startedAt, UInt64(clamping: System.now().nanoseconds))
    }
  }

  /// Before a child is spawned into a slot.
  func open(slot: Int, generation: Int, isWorker: Bool) {
    let now = System.now()
    board.slot(slot)?.write { page in
      page.set(Score.generation, UInt64(clamping: generation))
      page.set(Score.state, WorkerState.starting.rawValue)
      page.set(Score.startedAt, UInt64(clamping: now.nanoseconds))
      page.set(Score.kind, isWorker ? 1 : 2)
    }
    if slot >= board.usedSlots, slot < Board.slots {
      board.master.write { $0.set(Score.slots, UInt64(slot + 1)) }
    }
  }

  /// After a child has ended: what it counted stays, its page is free. Returns the page as it was.
  @discardableResult func close(slot: Int) -> [UInt64] {
    guard let page = board.slot(slot) else { return [] }
    let last = page.copy()
    // A reader that sees the master's page unchanged has seen neither half.
    board.master.write { base in
      for word in Score.counters(ofKind: last[Int(Score.kind)]) where last[Int(word)] != 0 {
        base.set(word, base.get(word) &+ last[Int(word)])
      }
      page.write { page in
        for index in 1..<Int32(last.count) where last[Int(index)] != 0 { page.set(index, 0) }
      }
    }
    return last
  }

  func count(_ word: Int32) {
    board.master.write { $0.add(word, 1) }
  }

  func set(_ word: Int32, _ value: UInt64) {
    if board.master.get(word) != value { board.master.write { $0.set(word, value) } }
  }
}
