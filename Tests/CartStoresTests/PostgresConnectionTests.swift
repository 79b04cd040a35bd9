import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("A connection to PostgreSQL", .requiresPostgres)
struct PostgresConnectionTests {
  let schema: PostgresSchema

  init() throws { schema = try PostgresSchema(migrated: false) }

  private static let echo = PostgresStatement(
    "echo", "SELECT $1::text, $2::text[], $3::bigint, $4::boolean, char_length($1)")
  private static let backend = PostgresStatement("backend", "SELECT pg_backend_pid()")

  private static func backend(of connection: PostgresConnection) throws -> Int64 {
    let backend = try connection.query(backend).integer(0, 0)
    return try #require(backend)
  }

  /// Ends the server's side of `connection` from elsewhere, and waits until it has ended.
  private func terminate(_ connection: PostgresConnection) throws {
    let backend = try Self.backend(of: connection)
    let other = try schema.connection()
    try other.execute("SELECT pg_terminate_backend(\(backend), 10000)", label: "terminate")
  }

  @Test(
    "hands values over as they are",
    arguments: [
      "", "plain", "it's", "\"quoted\"", "back\\slash", "{a,b}", "NULL", "$1; DROP TABLE x", "é", "🛒", " spaces ",
      "line\nbreak",
    ])
  func values(text: String) throws {
    let row = try schema.connection().query(
      Self.echo, [.text(text), .texts([text, nil, text]), .integer(Int64.min), .boolean(false)])
    #expect(row.text(0, 0) == text)
    // The server takes the bytes for the same characters.
    #expect(row.integer(0, 4) == Int64(text.unicodeScalars.count))
    let elements = try schema.connection().query(
      PostgresStatement("elements", "SELECT unnest($1::text[])"), [.texts([text, nil, text])])
    #expect((0..<3).map { elements.text($0, 0) } == [text, nil, text])
    #expect(row.integer(0, 2) == .min)
    #expect(row.boolean(0, 3) == false)
  }

  @Test("refuses a NUL byte rather than cut the value")
  func nul() throws {
    let connection = try schema.connection()
    #expect(throws: PostgresError.self) {
      _ = try connection.query(Self.echo, [.text("a\0b"), .null, .null, .null])
    }
    #expect(try Self.backend(of: connection) > 0)
  }

  @Test("reads integers within their range, and nothing else as one")
  func integers() throws {
    let row = try schema.connection().execute(
      "SELECT 9223372036854775807, -9223372036854775808, 9223372036854775808, 1.5, NULL, ''", label: "integers")
    #expect(row.integer(0, 0) == .max)
    #expect(row.integer(0, 1) == .min)
    for column in 2...5 { #expect(row.integer(0, column) == nil) }
    #expect(row.text(1, 0) == nil && row.text(0, 6) == nil && row.text(-1, 0) == nil)
  }

  @Test("names the schema whatever its name")
  func schemaName() throws {
    let schema = try PostgresSchema(RedisTesting.uniqueName("We\"ird; Schema '%s "))
    #expect(try schema.rows("SELECT current_schema(), count(*) FROM products") == [[schema.name, "0"]])
  }

  @Test("tells an error by its code and keeps the values out of it")
  func errors() throws {
    let connection = try schema.connection()
    let error = #expect(throws: PostgresError.self) {
      _ = try connection.query(PostgresStatement("cast", "SELECT $1::text::integer"), [.text("secret")])
    }
    #expect(error?.sqlState == "22P02")
    #expect(error?.description.contains("secret") == false)
    #expect(error?.isConnectionLost == false)
    #expect(error?.isOutcomeUnknown == false)
    #expect(try Self.backend(of: connection) > 0)
  }

  @Test("is made anew after a loss, with its statements")
  func reconnect() throws {
    let connection = try schema.connection()
    let first = try Self.backend(of: connection)
    try terminate(connection)
    #expect(try Self.backend(of: connection) != first)
  }

  @Test("does not mend a transaction")
  func lossInTransaction() throws {
    let connection = try schema.connection()
    try connection.begin()
    try terminate(connection)
    for _ in 0..<2 {
      let error = #expect(throws: PostgresError.self) { _ = try connection.query(Self.backend) }
      #expect(error?.isConnectionLost == true)
      #expect(error?.isOutcomeUnknown == false)
    }
    connection.rollback()
    #expect(try Self.backend(of: connection) > 0)
  }

  @Test("leaves the outcome open where a statement was sent and not answered")
  func unknownOutcome() throws {
    let connection = try schema.connection()
    let backend = try Self.backend(of: connection)
    let schema = schema
    Thread {
      // The sleep is seen in the list of activities before it is ended.
      let end = """
        SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = \(backend) AND wait_event = 'PgSleep'
        """
      while (try? schema.rows(end))?.isEmpty == true {}
    }.start()
    let error = #expect(throws: PostgresError.self) { try connection.execute("SELECT pg_sleep(60)", label: "sleep") }
    #expect(error?.isConnectionLost == true)
    #expect(error?.isOutcomeUnknown == true)
  }

  @Test("a failed transaction is not committed")
  func failedCommit() throws {
    let connection = try schema.connection()
    try connection.begin()
    #expect(throws: PostgresError.self) { try connection.execute("SELECT 1/0", label: "fail") }
    #expect(throws: PostgresError.self) { try connection.commit() }
    #expect(!connection.isInTransaction)
    try connection.transaction { () throws(PostgresError) in try connection.execute("SELECT 1", label: "work") }
  }

  @Test("rolls back what throws")
  func rollback() throws {
    let schema = try PostgresSchema()
    let connection = try schema.connection()
    #expect(throws: PostgresError.self) {
      try connection.transaction { () throws(PostgresError) in
        try connection.execute("DELETE FROM catalogue_state", label: "delete")
        try connection.execute("SELECT 1/0", label: "fail")
      }
    }
    #expect(try schema.rows("SELECT count(*) FROM catalogue_state") == [["1"]])
  }
}
