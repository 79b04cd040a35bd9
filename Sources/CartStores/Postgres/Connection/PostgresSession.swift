internal import CPostgres
internal import Glibc

/// One established connection, and the statements prepared on it. Once an error says that the connection is lost, it
/// is of no further use.
@safe final class PostgresSession {
  private let handle: OpaquePointer
  private var prepared: Set<String> = []

  /// Connects and sets the session up.
  init(connecting configuration: PostgresConfiguration) throws(PostgresError) {
    let deadline = PostgresDeadline(in: configuration.connectTimeout)
    unsafe handle = try PostgresHandshake.connect(configuration, by: deadline)
    let settings = """
      SET search_path TO \(configuration.quotedSchema);
      SET statement_timeout TO \(configuration.statementTimeout);
      SET lock_timeout TO \(configuration.lockTimeout);
      SET idle_in_transaction_session_timeout TO \(configuration.statementTimeout);
      SET client_connection_check_interval TO \(Self.connectionCheckMilliseconds);
      SET TimeZone TO 'UTC';
      \(configuration.planning)
      """
    do throws(PostgresError) {
      _ = try run(settings, label: "session", by: deadline)
    } catch {
      throw error.withKnownOutcome
    }
  }

  /// A statement whose connection was given up is ended by the server within this time, and its locks with it.
  private static let connectionCheckMilliseconds = 100

  deinit { unsafe PQfinish(handle) }

  /// False once the server has gone: it says so on the socket, also while nobody asks. What else it may say unasked
  /// (that its settings were changed) is rare enough to pay for it with a new connection.
  var isUsable: Bool {
    guard unsafe PQstatus(handle) == CONNECTION_OK else { return false }
    var entry = pollfd(fd: unsafe PQsocket(handle), events: Int16(POLLIN), revents: 0)
    return unsafe poll(&entry, 1, 0) <= 0
  }

  /// Runs a statement, prepared at its first use.
  func run(
    _ statement: PostgresStatement, _ parameters: [PostgresParameter], by deadline: PostgresDeadline
  ) throws(PostgresError) -> PostgresResult {
    if !prepared.contains(statement.name) {
      try check(unsafe PQsendPrepare(handle, statement.name, statement.sql, 0, nil), statement.name)
      do throws(PostgresError) {
        _ = try answer(to: statement.name, by: deadline)
      } catch {
        throw error.withKnownOutcome
      }
      prepared.insert(statement.name)
    }
    try send(statement.name, parameters)
    return try answer(to: statement.name, by: deadline)
  }

  /// Runs SQL without parameters; answers its last statement.
  func run(_ sql: String, label: String, by deadline: PostgresDeadline) throws(PostgresError) -> PostgresResult {
    try check(unsafe PQsendQuery(handle, sql), label)
    return try answer(to: label, by: deadline)
  }

  private func send(_ name: String, _ parameters: [PostgresParameter]) throws(PostgresError) {
    // All values in one buffer, each with the NUL behind it that the text format asks for.
    var bytes: [CChar] = []
    var offsets: [Int?] = []
    for parameter in parameters {
      guard let value = parameter.bytes else {
        offsets.append(nil)
        continue
      }
      if value.contains(0) { throw PostgresError("PostgreSQL, \(name): a value with a NUL byte") }
      offsets.append(bytes.count)
      for byte in value { bytes.append(CChar(bitPattern: byte)) }
      bytes.append(0)
    }
    let sent = unsafe bytes.withUnsafeBufferPointer { buffer in
      let values = unsafe offsets.map { offset in
        unsafe offset.flatMap { offset in unsafe buffer.baseAddress.map { start in unsafe start + offset } }
      }
      return unsafe PQsendQueryPrepared(handle, name, Int32(values.count), values, nil, nil, 0)
    }
    try check(sent, name)
  }

  private func check(_ isSent: Int32, _ label: String) throws(PostgresError) {
    if isSent != 1 { throw lost(label, isOutcomeUnknown: false) }
  }

  /// Waits for all that belongs to what was sent. The first error counts, or else the last answer.
  private func answer(to label: String, by deadline: PostgresDeadline) throws(PostgresError) -> PostgresResult {
    try flush(label, by: deadline)
    var last: PostgresResult?
    var failure: PostgresError?
    while true {
      while unsafe PQisBusy(handle) != 0 {
        guard deadline.wait(for: unsafe PQsocket(handle), POLLIN) else { throw Self.timedOut(label) }
        guard unsafe PQconsumeInput(handle) == 1 else { throw lost(label, isOutcomeUnknown: true) }
      }
      guard let next = unsafe PQgetResult(handle) else { break }
      let result = unsafe PostgresResult(owning: next)
      if result.isError, failure == nil { failure = PostgresError(answer: result, to: label) }
      last = consume result
    }
    if let failure {
      // A server that shuts down may have carried out what it does not answer any more.
      let isLost = unsafe PQstatus(handle) != CONNECTION_OK
      throw isLost ? failure.withLostConnection : failure
    }
    guard let last = consume last else { throw lost(label, isOutcomeUnknown: true) }
    return last
  }

  /// Gets everything off this machine, reading meanwhile so that neither side waits for the other.
  private func flush(_ label: String, by deadline: PostgresDeadline) throws(PostgresError) {
    while true {
      switch unsafe PQflush(handle) {
      case 0: return
      case 1:
        guard deadline.wait(for: unsafe PQsocket(handle), POLLIN | POLLOUT) else { throw Self.timedOut(label) }
        guard unsafe PQconsumeInput(handle) == 1 else { throw lost(label, isOutcomeUnknown: true) }
      default: throw lost(label, isOutcomeUnknown: true)
      }
    }
  }

  private static func timedOut(_ label: String) -> PostgresError {
    PostgresError(
      "PostgreSQL, \(label): no answer in time", isConnectionLost: true, isTimeout: true, isOutcomeUnknown: true)
  }

  private func lost(_ label: String, isOutcomeUnknown: Bool) -> PostgresError {
    PostgresError(
      "PostgreSQL, \(label): \(unsafe PostgresHandshake.reason(handle))", isConnectionLost: true,
      isOutcomeUnknown: isOutcomeUnknown)
  }
}
