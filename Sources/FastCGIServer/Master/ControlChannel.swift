internal import Glibc

/// A child's end of the socket pair that connects it to the master: orders come in, messages go out.
///
/// A child of `Master` finds the channel on descriptor 3, the hand-off queue on 4 and 5, the scoreboard on 6, the pool's
/// listening socket on 7, and its slot and generation in the environment.
package final class ControlChannel {
  /// From the master to a child.
  package enum Order: UInt8, Sendable {
    /// A successor is there: hand over what can be handed over, finish the rest, end.
    case drain = 0x44
    /// The pool stops: finish everything that has come, end.
    case stop = 0x53
    case reopenLogs = 0x4c
  }

  /// From a child to the master.
  enum Message: UInt8 {
    case ready = 0x52
    /// The child has reached its limit of requests or memory, and goes on until a successor is ready.
    case wantsReplacement = 0x54
  }

  /// The slot and the generation, with a space between them. A master and a child may be of two versions of the program
  /// during a reload, so the name stays as the first version had it.
  static let environmentKey = "FASTCGI_POST"
  static let channelDescriptor: Int32 = 3
  static let handoffDescriptors: (receiving: Int32, sending: Int32) = (4, 5)
  static let scoreboardDescriptor: Int32 = 6
  /// The pool's own listening socket, which is on 0 as well in a child that accepts from it.
  static let poolListenerDescriptor: Int32 = 7

  /// Which of the master's slots this child fills; 0 and up, used again by a successor.
  package let slot: Int
  /// Counts the reloads.
  package let generation: Int
  private let descriptor: Descriptor

  private init(slot: Int, generation: Int) {
    self.slot = slot
    self.generation = generation
    descriptor = Descriptor(Self.channelDescriptor)
    descriptor.setCloseOnExec()
  }

  /// The channel that this process was started with, nil if no master started it. The call removes it from the
  /// environment: a second call, and a child of this process, get nil.
  package static func inherited() -> ControlChannel? {
    guard let value = unsafe getenv(environmentKey) else { return nil }
    let numbers = unsafe String(cString: value).split(separator: " ").map { Int($0) }
    unsafe unsetenv(environmentKey)
    guard numbers.count == 2, let slot = numbers[0], let generation = numbers[1] else { return nil }
    return ControlChannel(slot: slot, generation: generation)
  }

  /// Readable when `nextOrder()` has an order.
  package var orderDescriptor: Int32 { descriptor.raw }

  /// The next order, nil if there is none at the moment. Once the master is gone, each call returns `stop`.
  package func nextOrder() -> Order? {
    while true {
      var bytes: [UInt8] = [0]
      switch descriptor.receive(into: &bytes) {
      case .bytes(1): if let order = Order(rawValue: bytes[0]) { return order }
      case .wouldBlock: return nil
      default: return .stop
      }
    }
  }

  /// Tells the master that this child serves now.
  package func announceReady() { send(.ready) }

  func send(_ message: Message) { _ = descriptor.send([message.rawValue]) }

  func inheritedScoreboard() throws(SystemError) -> Scoreboard {
    try Scoreboard(child: slot, file: Descriptor(Self.scoreboardDescriptor))
  }

  /// The pool's listening socket, for its queue's length only.
  func inheritedPoolListener() -> Descriptor {
    let listener = Descriptor(Self.poolListenerDescriptor)
    listener.setCloseOnExec()
    return listener
  }

  func inheritedHandoffQueue() -> HandoffQueue {
    let queue = HandoffQueue(
      receiving: Descriptor(Self.handoffDescriptors.receiving), sending: Descriptor(Self.handoffDescriptors.sending))
    queue.receiving.setCloseOnExec()
    queue.sending.setCloseOnExec()
    return queue
  }
}
