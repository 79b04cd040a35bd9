internal import CProcess

/// Where workers leave connections on which nothing has been read, for whichever worker is free: a pair of sockets that
/// all workers share and the master keeps open, so that what lies in it outlives any of them.
final class Park {
  /// A connection as it lies in the park.
  struct Parked: ~Copyable {
    let descriptor: Descriptor
    /// When its request must have come; nil for one that the web server keeps idle as long as it likes.
    let deadline: Instant?

    consuming func take() -> Descriptor { descriptor }
  }

  let receiving: Descriptor
  let sending: Descriptor

  init(receiving: consuming Descriptor, sending: consuming Descriptor) {
    self.receiving = receiving
    self.sending = sending
  }

  /// False when there is no room: the connection stays where it is.
  func leave(_ connection: Int32, deadline: Instant?) -> Bool {
    var message = deadline?.nanoseconds ?? 0
    return unsafe cprocess_send_descriptor(sending.raw, &message, MemoryLayout<Int64>.size, connection) == 0
  }

  /// A connection that somebody left, nil if there is none.
  func take() -> Parked? {
    var message: Int64 = 0
    var raw: Int32 = -1
    let length = unsafe cprocess_receive_descriptor(receiving.raw, &message, MemoryLayout<Int64>.size, &raw)
    if length <= 0 || raw < 0 { return nil }
    return Parked(descriptor: Descriptor(raw), deadline: message == 0 ? nil : Instant(nanoseconds: message))
  }
}
