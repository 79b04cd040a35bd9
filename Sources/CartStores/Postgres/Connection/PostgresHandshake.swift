internal import CPostgres
internal import Glibc

/// Making a connection, with a deadline over all of it: libpq's own `connect_timeout` counts for each host and is not
/// heeded by the calls that don't block.
enum PostgresHandshake {
  /// - Returns: a connection that never blocks and that the caller must end.
  static func connect(
    _ configuration: PostgresConfiguration, by deadline: PostgresDeadline
  ) throws(PostgresError) -> OpaquePointer {
    guard let connection = unsafe start(configuration) else {
      throw PostgresError("PostgreSQL: out of memory", isConnectionLost: true)
    }
    do throws(PostgresError) {
      unsafe try finish(connection, by: deadline)
    } catch {
      unsafe PQfinish(connection)
      throw error
    }
    _ = unsafe PQsetnonblocking(connection, 1)
    // Notices go to standard error otherwise.
    _ = unsafe PQsetNoticeReceiver(connection, { _, _ in }, nil)
    return unsafe connection
  }

  /// What libpq says about the connection, on one line. It names host, user and database, no password.
  static func reason(_ connection: OpaquePointer) -> String {
    let message = unsafe PQerrorMessage(connection).map { unsafe String(cString: $0) } ?? ""
    // Lines behind the first begin with a tabulator.
    let lines = message.split { $0.isNewline || $0 == "\t" }
    return lines.isEmpty ? "the connection was lost" : lines.joined(separator: "; ")
  }

  private static func start(_ configuration: PostgresConfiguration) -> OpaquePointer? {
    // `dbname` is expanded where it stands: what comes before it are defaults, what comes after it can't be changed.
    let keywords = ["application_name", "dbname", "target_session_attrs", "client_encoding"]
    let values = [configuration.applicationName, configuration.connectionString, "read-write", "UTF8"]
    return unsafe withCStrings(keywords) { keywords in
      unsafe withCStrings(values) { values in unsafe PQconnectStartParams(keywords, values, 1) }
    }
  }

  private static func finish(_ connection: OpaquePointer, by deadline: PostgresDeadline) throws(PostgresError) {
    guard unsafe PQstatus(connection) != CONNECTION_BAD else { throw unsafe refused(connection) }
    var events = POLLOUT
    while true {
      guard deadline.wait(for: unsafe PQsocket(connection), events) else {
        throw PostgresError("PostgreSQL, connect: no answer in time", isConnectionLost: true, isTimeout: true)
      }
      switch unsafe PQconnectPoll(connection) {
      case PGRES_POLLING_OK: return
      case PGRES_POLLING_READING: events = POLLIN
      case PGRES_POLLING_WRITING: events = POLLOUT
      default: throw unsafe refused(connection)
      }
    }
  }

  private static func refused(_ connection: OpaquePointer) -> PostgresError {
    PostgresError("PostgreSQL, connect: \(unsafe reason(connection))", isConnectionLost: true)
  }

  /// The strings as a NULL-terminated array, valid within `body`.
  private static func withCStrings<Answer>(
    _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Answer
  ) -> Answer {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
      offsets.append(bytes.count)
      for byte in string.utf8 { bytes.append(CChar(bitPattern: byte)) }
      bytes.append(0)
    }
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      var pointers = unsafe offsets.map { offset in unsafe buffer.baseAddress.map { unsafe $0 + offset } }
      unsafe pointers.append(nil)
      return unsafe body(pointers)
    }
  }
}
