import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("PostgreSQL hangs or is away", .requiresPostgres)
struct PostgresPatienceTests {
  let schema: PostgresSchema

  init() throws { schema = try PostgresSchema(migrated: false) }

  /// A server that takes connections and never says a word.
  private final class SilentServer {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("pg-"))
    private let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)

    init() throws {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let path = folder.appendingPathComponent(".s.PGSQL.5432").path
      unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
      let bound = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      try #require(bound == 0 && listen(descriptor, 16) == 0)
    }

    deinit {
      close(descriptor)
      try? FileManager.default.removeItem(at: folder)
    }

    /// Connections that wait to be accepted.
    var waiting: Int {
      var count = 0
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      while true {
        let accepted = accept(descriptor, nil, nil)
        if accepted < 0 { return count }
        close(accepted)
        count += 1
      }
    }
  }

  private func connection(
    to database: String, connect: Int = 200, statement: Int = 2_000, rest: Int = 60_000
  ) throws -> PostgresConnection {
    var configuration = try PostgresConfiguration(connectionString: database, schema: schema.name)
    configuration.connectTimeout = connect
    configuration.statementTimeout = statement
    configuration.restAfterFailure = rest
    return PostgresConnection(configuration)
  }

  private func failure(_ connection: PostgresConnection, _ sql: String = "SELECT 1") -> (PostgresError?, Duration) {
    var error: PostgresError?
    let elapsed = ContinuousClock().measure {
      error = #expect(throws: PostgresError.self) { try connection.execute(sql, label: "test") }
    }
    return (error, elapsed)
  }

  @Test("a server that does not answer a greeting is given up in time, and then left alone")
  func silent() throws {
    let server = try SilentServer()
    let connection = try connection(to: "host=\(server.folder.path)")
    let (error, elapsed) = failure(connection)
    #expect(error?.isTimeout == true)
    #expect(elapsed > .milliseconds(150) && elapsed < .seconds(5))
    for _ in 0..<3 {
      let (error, _) = failure(connection)
      #expect(error?.isTimeout == false)
    }
    #expect(server.waiting == 1)
  }

  @Test("a refused connection is not tried again for some seconds")
  func refused() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(RedisTesting.uniqueName("none-"))
    let connection = try connection(to: "host=\(folder.path)")
    let (first, _) = failure(connection)
    #expect(first?.message.contains("No such file") == true)
    #expect(first?.isOutcomeUnknown == false)
    let (second, _) = failure(connection)
    #expect(second?.message.contains("left alone") == true)
  }

  @Test("after the rest it is tried again")
  func rest() throws {
    let server = try SilentServer()
    let connection = try connection(to: "host=\(server.folder.path)", connect: 50, rest: 100)
    _ = failure(connection)
    var tries = 0
    while failure(connection).0?.isTimeout != true { tries += 1 }
    #expect(tries > 0)
  }

  @Test("the server's own limit ends a statement, and PostgreSQL is then left alone, its connection kept")
  func statementTimeout() throws {
    let connection = try connection(to: #require(PostgresTesting.database), connect: 2_000, statement: 100)
    let (error, elapsed) = failure(connection, "SELECT pg_sleep(60)")
    #expect(error?.sqlState == "57014")
    #expect(error?.isTimeout == true)
    #expect(error?.isConnectionLost == false)
    #expect(elapsed < .seconds(5))
    let (next, _) = failure(connection)
    #expect(next?.message.contains("left alone") == true)
  }

  @Test("a server that hangs in a statement is given up all the same")
  func hangingStatement() throws {
    let connection = try connection(to: #require(PostgresTesting.database), connect: 2_000, statement: 100)
    let (error, elapsed) = failure(connection, "SET statement_timeout TO 0; SELECT pg_sleep(60)")
    #expect(error?.isTimeout == true)
    #expect(error?.isConnectionLost == true)
    #expect(error?.isOutcomeUnknown == true)
    #expect(elapsed < .seconds(5))
  }

  @Test("a lock that another holds is waited for no longer than allowed")
  func lockTimeout() throws {
    let holder = try schema.connection()
    try holder.execute("SELECT pg_advisory_lock(hashtextextended(current_setting('search_path'), 0))", label: "lock")
    var configuration = try schema.configuration()
    configuration.lockTimeout = 100
    let connection = PostgresConnection(configuration)
    let (error, _) = failure(
      connection, "SELECT pg_advisory_lock(hashtextextended(current_setting('search_path'), 0))")
    #expect(error?.sqlState == "55P03")
    try connection.execute("SELECT 1", label: "go on")
  }

  @Test(
    "a connection string that can't be read is refused without quoting it",
    arguments: ["nonsense", "a=b", "password='x"])
  func badString(text: String) throws {
    let error = #expect(throws: SettingsError.self) { _ = try PostgresConfiguration(connectionString: text) }
    #expect(error?.message == "CART_DATABASE: not a libpq connection string")
  }

  @Test("connect_timeout of the connection string wins")
  func connectTimeout() throws {
    #expect(try PostgresConfiguration(connectionString: "connect_timeout=7").connectTimeout == 7_000)
    #expect(try PostgresConfiguration(connectionString: "postgresql:///x?connect_timeout=3").connectTimeout == 3_000)
  }
}
