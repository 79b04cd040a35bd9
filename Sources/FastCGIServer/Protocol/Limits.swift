/// What a worker reads from one connection at most, and how long it waits for it.
package struct Limits: Sendable {
  /// All names and values of one request with their lengths, as encoded.
  package var parameterBytes = 64 * 1024

  /// Names in one request.
  package var parameterCount = 128

  /// The longest body that the application gets.
  package var bodyBytes = 256 * 1024

  /// The longest body that is read, and discarded, so that the application can answer 413. Beyond it the connection
  /// is closed.
  package var discardedBodyBytes = 8 * 1024 * 1024

  /// From the first byte of a request (of the accept, for a new connection) to its last, in total.
  package var readDeadline = Duration.seconds(10)

  /// For a web server that does not read an answer.
  package var writeDeadline = Duration.seconds(30)

  /// From a request's last byte to its answer. Then the web server gets an answer encoded in advance, and the worker ends.
  package var requestDeadline = Duration.seconds(30)

  /// Connections that one worker holds. At the limit it accepts no more; other workers do.
  package var connections = 512

  package init() {}
}

/// Why a request is answered without reaching the application. What breaks the protocol itself is never answered: the
/// connection is closed.
package enum Refusal: Sendable, CaseIterable {
  /// A pair that does not fit its record stream; an empty name; a NUL, or a `=` in a name. Also a `CONTENT_LENGTH` that
  /// is no number or comes twice.
  case malformedParameters
  /// Over `Limits.parameterBytes` or `Limits.parameterCount`.
  case tooManyParameters
  /// More or fewer bytes of body than `CONTENT_LENGTH` says.
  case bodyLengthMismatch
  /// Over `Limits.readDeadline`.
  case readTimeout
  /// Its connection has waited longer than `Master.Configuration.queueAge`: its client may have given up.
  case overloaded

  /// 400, 431, 400, 408 and 503.
  package var status: Int {
    switch self {
    case .malformedParameters, .bodyLengthMismatch: 400
    case .tooManyParameters: 431
    case .readTimeout: 408
    case .overloaded: 503
    }
  }
}
