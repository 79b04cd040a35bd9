internal import Glibc

/// What the master writes to the scoreboard.
final class MasterScoreboard {
  let file: Descriptor
  let shared: Scoreboard

  init() throws(SystemError) {
    file = try Scoreboard.file()
    shared = try Scoreboard(master: file)
    shared.master.write { page in
      page.set(ScoreboardLayout.process, UInt64(clamping: getpid()))
      page.set(ScoreboardLayout.startedAt, UInt64(clamping: System.now().nanoseconds))
    }
  }

  /// Before a child is spawned into a slot.
  func open(slot: Int, generation: Int, isWorker: Bool) {
    let now = System.now()
    shared.slot(slot)?.write { page in
      page.set(ScoreboardLayout.generation, UInt64(clamping: generation))
      page.set(ScoreboardLayout.state, WorkerState.starting.rawValue)
      page.set(ScoreboardLayout.startedAt, UInt64(clamping: now.nanoseconds))
      page.set(ScoreboardLayout.kind, isWorker ? 1 : 2)
    }
    if slot >= shared.usedSlots, slot < Scoreboard.slots {
      shared.master.write { $0.set(ScoreboardLayout.usedSlots, UInt64(slot + 1)) }
    }
  }

  /// After a child has ended: what it counted stays, its page is free. Returns the page as it was.
  @discardableResult func close(slot: Int) -> [UInt64] {
    guard let page = shared.slot(slot) else { return [] }
    let last = page.copy()
    // Both in one write of the master's page: a reader that finds it unchanged has counted nothing twice.
    shared.master.write { base in
      for word in ScoreboardLayout.counters(ofKind: last[Int(ScoreboardLayout.kind)]) where last[Int(word)] != 0 {
        base.set(word, base.get(word) &+ last[Int(word)])
      }
      page.write { page in
        for index in 1..<Int32(last.count) where last[Int(index)] != 0 { page.set(index, 0) }
      }
    }
    return last
  }

  func count(_ counter: PoolCounter) {
    shared.master.write { $0.add(counter, 1) }
  }

  func set(_ word: Int32, _ value: UInt64) {
    if shared.master.get(word) != value { shared.master.write { $0.set(word, value) } }
  }
}
