internal import CProcess
internal import Glibc

/// One page of the scoreboard, as its writer or as a reader sees it.
@safe struct ScoreboardPage {
  fileprivate let words: UnsafeMutablePointer<UInt64>

  /// What `body` writes is seen as a whole.
  func write(_ body: (ScoreboardPage) -> Void) {
    unsafe cprocess_page_begin(words)
    body(self)
    unsafe cprocess_page_end(words)
  }

  func set(_ word: Int32, _ value: UInt64) { unsafe cprocess_page_set(words, word, value) }

  func add(_ word: Int32, _ value: UInt64) { unsafe cprocess_page_add(words, word, value) }

  func add(_ counter: PoolCounter, _ number: UInt64) { add(counter.rawValue, number) }

  func get(_ word: Int32) -> UInt64 { unsafe cprocess_page_get(words, word) }

  func get(_ counter: PoolCounter) -> UInt64 { get(counter.rawValue) }

  /// For C code, which may write to the page from a signal handler.
  func withWords<Result>(_ body: (UnsafeMutablePointer<UInt64>) -> Result) -> Result { unsafe body(words) }

  /// All words, of one moment unless the writer ended in the middle of a write.
  func copy() -> [UInt64] {
    var copy = [UInt64](repeating: 0, count: Int(CPROCESS_PAGE_WORDS))
    _ = unsafe cprocess_page_read(words, &copy)
    return copy
  }
}

/// The memory that all processes of a pool share, as one of them sees it: a page of the master, and one for each slot.
@safe final class Scoreboard {
  static let pageBytes = Int(CPROCESS_PAGE_WORDS) * 8
  /// Children in higher slots have a page that no process reads.
  static let slots = 2 * Pool.maximumChildren
  private static let bytes = (slots + 1) * pageBytes

  private let start: UnsafeMutableRawPointer
  private let own: UnsafeMutableRawPointer
  private let ownBytes: Int
  /// A child's descriptor of the file, for its permits; else -1.
  private let file: Int32

  /// A new file for a scoreboard, which the master keeps.
  static func file() throws(SystemError) -> Descriptor {
    let file = Descriptor(
      try System.checked("memfd_create", unsafe cprocess_scoreboard_file("fastcgi-scoreboard", bytes)))
    return try file.high()
  }

  /// The master's view: it writes its own page, and those of slots without a child.
  init(master file: borrowing Descriptor) throws(SystemError) {
    unsafe start = try Self.map(Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
    unsafe own = start
    ownBytes = 0
    self.file = -1
  }

  /// A child's view: it can write to its own page and read all.
  init(child slot: Int, file: consuming Descriptor) throws(SystemError) {
    unsafe start = try Self.map(Self.bytes, PROT_READ, MAP_SHARED, file.raw, 0)
    let isKnown = (0..<Self.slots).contains(slot)
    ownBytes = Self.pageBytes
    do throws(SystemError) {
      unsafe own = try Self.map(
        ownBytes, PROT_READ | PROT_WRITE, isKnown ? MAP_SHARED : MAP_PRIVATE, file.raw,
        off_t(isKnown ? (slot + 1) * Self.pageBytes : 0))
    } catch {
      unsafe munmap(start, Self.bytes)
      throw error
    }
    file.setCloseOnExec()
    self.file = file.release()
  }

  /// One of its own, for a child without a master: it has one slot.
  init() throws(SystemError) {
    let file = try Self.file()
    unsafe start = try Self.map(Self.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
    unsafe own = start + Self.pageBytes
    ownBytes = 0
    self.file = -1
    master.set(ScoreboardLayout.usedSlots, 1)
    ownPage.set(ScoreboardLayout.kind, 1)
  }

  deinit {
    if ownBytes > 0 { unsafe munmap(own, ownBytes) }
    if file >= 0 { close(file) }
    unsafe munmap(start, Self.bytes)
  }

  private static func map(
    _ bytes: Int, _ protection: Int32, _ flags: Int32, _ file: Int32, _ offset: off_t
  ) throws(SystemError) -> UnsafeMutableRawPointer {
    let result = unsafe mmap(nil, bytes, protection, flags, file, offset)
    let code = errno
    guard let result = unsafe result, unsafe result != MAP_FAILED else { throw SystemError("mmap scoreboard", code) }
    return unsafe result
  }

  private func page(at address: UnsafeMutableRawPointer) -> ScoreboardPage {
    unsafe ScoreboardPage(words: address.bindMemory(to: UInt64.self, capacity: Int(CPROCESS_PAGE_WORDS)))
  }

  var master: ScoreboardPage { unsafe page(at: start) }

  /// The page of the process that made this view.
  var ownPage: ScoreboardPage { unsafe page(at: own) }

  /// Nil for a slot that has no page.
  func slot(_ slot: Int) -> ScoreboardPage? {
    (0..<Self.slots).contains(slot) ? unsafe page(at: start + (slot + 1) * Self.pageBytes) : nil
  }

  /// Takes a permit, numbered from 0, that one process of the pool can have at a time, until it releases it or ends.
  /// fcntl(2), `F_SETLK`: an advisory lock on a byte of the file; the pages stay writable.
  func acquire(permit: Int) -> Bool { lock(F_WRLCK, permit) }

  func release(permit: Int) { _ = lock(F_UNLCK, permit) }

  private func lock(_ kind: Int32, _ offset: Int) -> Bool {
    if file < 0 { return true }
    var lock = flock()
    lock.l_type = Int16(kind)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_start = off_t(offset)
    lock.l_len = 1
    return unsafe fcntl(file, F_SETLK, &lock) == 0
  }

  /// How many workers the pool is to have; 0 without a master.
  var workers: Int { Int(clamping: master.get(ScoreboardLayout.workers)) }

  /// Pages of slots that have been used, however many the master's page claims.
  var usedSlots: Int { Int(clamping: min(master.get(ScoreboardLayout.usedSlots), UInt64(Self.slots))) }

  /// Connections accepted since the start by all workers, also by those that have ended.
  var accepted: UInt64 {
    var sum = master.get(.accepted)
    for slot in 0..<usedSlots {
      guard let page = self.slot(slot), page.get(ScoreboardLayout.kind) == 1 else { continue }
      sum &+= page.get(.accepted)
    }
    return sum
  }

  /// The connection that was accepted last has waited too long, as far as the master's page knows.
  var newestHasWaitedTooLong: Bool {
    let last = master.get(ScoreboardLayout.waitedTooLong)
    return last > 0 && accepted <= last
  }
}
