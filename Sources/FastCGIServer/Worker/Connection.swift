/// One connection that a worker holds.
final class Connection {
  enum State: Equatable {
    /// Waiting for a request, or for the rest of one.
    case reading
    /// An answer did not fit into the socket: the rest waits for room.
    case writing
    /// Answered before everything had come: what still comes is discarded, so that closing does not reset the connection
    /// before the answer is read.
    case discarding
  }

  /// What follows the answer.
  enum Ending: Equatable {
    case keep
    case close
    /// Close once the peer has no more to send.
    case discard
  }

  let descriptor: Descriptor
  var reader: RequestReader
  var state = State.reading
  var ending = Ending.close
  /// When the present state must be over; nil for an idle connection that the web server keeps.
  var deadline: Instant?
  /// What epoll watches, nil while it does not.
  var interest: Poller.Interest?
  /// The rest of an answer.
  var output: ArraySlice<UInt8> = []
  var discarded = 0
  /// A request has come on it: the next one reuses it.
  var hasHadRequest = false
  /// It has waited too long to be accepted.
  var hasWaitedTooLong = false
  /// When the first byte of a request came whose last byte has not.
  var requestBegan: Instant?

  init(_ descriptor: consuming Descriptor, limits: Limits, deadline: Instant?) {
    self.descriptor = descriptor
    self.deadline = deadline
    reader = RequestReader(limits: limits)
  }

  var raw: Int32 { descriptor.raw }

  /// Nothing of a next request has been read: another worker can take the connection over.
  var isBetweenRequests: Bool { state == .reading && reader.isBetweenRequests }
}
