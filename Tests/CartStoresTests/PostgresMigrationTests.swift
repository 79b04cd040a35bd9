import CartDomain
import Foundation
import Testing

@testable import CartStores

@Suite("Migrations", .requiresPostgres)
struct PostgresMigrationTests {
  let schema: PostgresSchema

  init() throws { schema = try PostgresSchema(migrated: false) }

  private static let first = PostgresMigration(version: 1, name: "one", sql: "CREATE TABLE one (n integer)")
  private static let second = PostgresMigration(version: 2, name: "two", sql: "CREATE TABLE two (n integer)")

  private func run(_ migrations: [PostgresMigration]) throws -> [Int] {
    try Self.run(migrations, in: schema, as: "tests")
  }

  private static func run(
    _ migrations: [PostgresMigration], in schema: PostgresSchema, as name: String
  ) throws -> [Int] {
    let connection = try schema.connection(applicationName: name)
    var done: [Int] = []
    try PostgresMigrations(connection, migrations: migrations).run { done.append($0.version) }
    return done
  }

  private func tables() throws -> [String?] {
    try schema.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1").map { $0[0] }
  }

  @Test("run once, in order, and what comes later when it comes")
  func order() throws {
    #expect(try run([Self.first]) == [1])
    #expect(try run([Self.first]) == [])
    #expect(
      try PostgresMigrations(schema.connection(), migrations: [Self.first, Self.second]).pending().map(\.version) == [2]
    )
    #expect(try run([Self.first, Self.second]) == [2])
    #expect(try tables() == ["one", "schema_migrations", "two"])
  }

  @Test("the project's own run twice and leave the schema ready")
  func own() throws {
    #expect(try PostgresMigrations(schema.connection()).pending().count == PostgresMigration.all.count)
    try PostgresMigrations(schema.connection()).run()
    try PostgresMigrations(schema.connection()).run { _ in Issue.record("ran twice") }
    #expect(try PostgresMigrations(schema.connection()).pending().isEmpty)
    #expect(try PostgresCatalogue(schema.connection()).catalogueVersion() >= 1)
    #expect(PostgresMigration.all.map(\.version) == Array(1...PostgresMigration.all.count))
  }

  @Test("one that was changed after it ran is refused, and nothing is run")
  func changed() throws {
    _ = try run([Self.first])
    let changed = PostgresMigration(version: 1, name: "one", sql: Self.first.sql + " ")
    let error = #expect(throws: PostgresError.self) { _ = try run([changed, Self.second]) }
    #expect(error?.message.contains("migration 1 one was changed after it was run") == true)
    #expect(throws: PostgresError.self) {
      try PostgresMigrations(schema.connection(), migrations: [changed]).pending()
    }
    #expect(try tables() == ["one", "schema_migrations"])
  }

  @Test("a schema of a newer program is refused")
  func newer() throws {
    _ = try run([Self.first, Self.second])
    let error = #expect(throws: PostgresError.self) { _ = try run([Self.first]) }
    #expect(error?.message.contains("newer than this program: migration 2 two") == true)
  }

  @Test("one that fails leaves nothing behind, those before it stay")
  func failing() throws {
    let failing = PostgresMigration(version: 2, name: "bad", sql: "CREATE TABLE two (n integer); SELECT 1/0")
    #expect(throws: PostgresError.self) { _ = try run([Self.first, failing]) }
    #expect(try tables() == ["one", "schema_migrations"])
    #expect(try run([Self.first, Self.second]) == [2])
  }

  @Test("of two at once the second waits for the first, and finds nothing to do")
  func concurrent() async throws {
    let schema = schema
    // The first migration stands still until the test lets it go.
    let gate = Int64.random(in: 1 ... .max)
    let slow = PostgresMigration(
      version: 1, name: "one", sql: "SELECT pg_advisory_xact_lock(\(gate)); CREATE TABLE one (n integer)")
    let holder = try schema.connection()
    try holder.execute("SELECT pg_advisory_lock(\(gate))", label: "hold")
    // Threads: each of them waits for the server, and so must not stand in the way of the others.
    let runs = (1...2).map { number in
      Task.detached {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<[Int], any Error>) in
          Thread { done.resume(with: Result { try Self.run([slow], in: schema, as: "migration \(number)") }) }.start()
        }
      }
    }
    let waiting = """
      SELECT 1 FROM pg_stat_activity
      WHERE application_name LIKE 'migration _' AND wait_event = 'advisory' AND query LIKE '%advisory%'
      """
    let giveUp = Date().addingTimeInterval(20)
    while try schema.rows(waiting).count < 2, Date() < giveUp {}
    holder.close()
    var ran: [Int] = []
    for run in runs { ran += try await run.value }
    #expect(ran == [1])
    #expect(try tables() == ["one", "schema_migrations"])
  }

  @Test("a role that may not create the schema is told so, and works in one that it was given")
  func rights() throws {
    let admin = try schema.connection()
    let role = RedisTesting.uniqueName("cart_test_role_")
    do {
      try admin.execute("CREATE ROLE \(role)", label: "role")
    } catch {
      // A plain role can't make others; then every other test runs as one.
      return
    }
    defer {
      _ = try? admin.execute(
        "RESET ROLE; DROP OWNED BY \(role) CASCADE; DROP ROLE \(role)", label: "clean up")
    }
    let connection = try schema.connection()
    try connection.execute("SET ROLE \(role)", label: "become")
    let error = #expect(throws: PostgresError.self) { try PostgresMigrations(connection).run() }
    #expect(error?.sqlState == "42501")
    try admin.execute(
      "CREATE SCHEMA \(admin.configuration.quotedSchema) AUTHORIZATION \(role)", label: "give")
    try PostgresMigrations(connection).run()
    let report = try CatalogueImport(connection).run(
      ImportBytes(Array(#"{"sku":"A","name":"a","unitPrice":1,"currency":"GBP"}"#.utf8)), .ndjson, problem: { _ in })
    #expect(report.added == 1)
  }
}
