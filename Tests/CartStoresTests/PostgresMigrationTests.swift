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
    var done: [Int] = []
    try PostgresMigrations(schema.connection(), migrations: migrations).run { done.append($0.version) }
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
    #expect(try PostgresCatalogue(schema.connection()).generation() >= 1)
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

  @Test("eight at once run each migration once")
  func concurrent() async throws {
    let schema = schema
    let ran = try await withThrowingTaskGroup(of: [Int].self) { group in
      for _ in 0..<8 {
        group.addTask {
          var done: [Int] = []
          try PostgresMigrations(schema.connection(), migrations: [Self.first, Self.second]).run {
            done.append($0.version)
          }
          return done
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(ran.sorted() == [1, 2])
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
