internal import Glibc

/// A child's end of the line to its master: what the master orders, and word back.
///
/// A child of `Master` finds the line on descriptor 3, the park on 4 and 5, the scoreboard on 6, the pool's socket
/// on 7, and its place in the pool in the
/// environment.
package final class Post {
  package enum Order: UInt8, Sendable {
    /// A successor is there: hand over what can be handed over, finish the rest, end.
    case drain = 0x44
    /// The pool stops: finish everything that has come, end.
    case stop = 0x53
    case reopenLogs = 0x4c
  }

  enum Word: UInt8 {
    case ready = 0x52
    /// So many requests answered that a successor would be welcome.
    case tired = 0x54
  }

  static let environmentKey = "FASTCGI_POST"
  static let lineDescriptor: Int32 = 3
  static let parkDescriptors: (receiving: Int32, sending: Int32) = (4, 5)
  static let boardDescriptor: Int32 = 6
  /// The pool's own listening socket, which is 0 for those who take from it.
  static let poolDescriptor: Int32 = 7

  /// Which of the master's places this child fills; 0 and up, used again by a successor.
  package let slot: Int
  /// Counts the reloads.
  package let generation: Int
  private let line: Descriptor

  private init(slot: Int, generation: Int) {
    self.slot = slot
    self.generation = generation
    line = Descriptor(Self.lineDescriptor)
    line.setCloseOnExec()
  }

  /// The post that this process was started for, nil if no master started it. Asking takes it: a second call, and a
  /// child of this process, get nil.
  package static func inherited() -> Post? {
    guard let value = unsafe getenv(environmentKey) else { return nil }
    let words = unsafe String(cString: value).split(separator: " ").map { Int($0) }
    unsafe unsetenv(environmentKey)
    guard words.count == 2, let slot = words[0], let generation = words[1] else { return nil }
    return Post(slot: slot, generation: generation)
  }

  /// Readable when `nextOrder()` has something to say.
  package var orders: Int32 { line.raw }

  /// The next order, nil if there is none at the moment. A master that is gone orders `stop`, each time.
  package func nextOrder() -> Order? {
    while true {
      var message: [UInt8] = [0]
      switch line.receive(into: &message) {
      case .bytes(1): if let order = Order(rawValue: message[0]) { return order }
      case .wouldBlock: return nil
      default: return .stop
      }
    }
  }

  /// Tells the master that this child serves now.
  package func announceReady() { say(.ready) }

  func say(_ word: Word) { _ = line.send([word.rawValue]) }

  func inheritedBoard() throws(SystemError) -> Board {
    try Board(child: slot, file: Descriptor(Self.boardDescriptor))
  }

  /// The pool's listening socket, to be looked at only.
  func inheritedPool() -> Descriptor {
    let pool = Descriptor(Self.poolDescriptor)
    pool.setCloseOnExec()
    return pool
  }

  func inheritedPark() -> Park {
    let park = Park(
      receiving: Descriptor(Self.parkDescriptors.receiving), sending: Descriptor(Self.parkDescriptors.sending))
    park.receiving.setCloseOnExec()
    park.sending.setCloseOnExec()
    return park
  }
}
