internal import CProcess

/// Connections between two requests that one worker leaves to any other that is free: a pair of sockets that all workers
/// share and the master keeps open, so that what is in it outlives each of them.
final class HandoffQueue {
  struct Entry: ~Copyable {
    let descriptor: Descriptor
    /// When its request must have come; nil for one that the web server keeps idle as long as it likes.
    let deadline: Instant?

    consuming func takeDescriptor() -> Descriptor { descriptor }
  }

  let receiving: Descriptor
  let sending: Descriptor

  init(receiving: consuming Descriptor, sending: consuming Descriptor) {
    self.receiving = receiving
    self.sending = sending
  }

  /// Sends a duplicate of the descriptor; the caller closes its own. False when there is no room.
  func enqueue(_ connection: Int32, deadline: Instant?) -> Bool {
    var message = deadline?.nanoseconds ?? 0
    return unsafe cprocess_send_descriptor(sending.raw, &message, MemoryLayout<Int64>.size, connection) == 0
  }

  /// Nil if the queue is empty.
  func dequeue() -> Entry? {
    var message: Int64 = 0
    var raw: Int32 = -1
    let length = unsafe cprocess_receive_descriptor(receiving.raw, &message, MemoryLayout<Int64>.size, &raw)
    if length <= 0 || raw < 0 { return nil }
    return Entry(descriptor: Descriptor(raw), deadline: message == 0 ? nil : Instant(nanoseconds: message))
  }
}
