import CartDomain
import Foundation
import Testing

@testable import CartStores

/// The PostgreSQL that tests run against: `CART_TEST_DATABASE`, a libpq connection string. No superuser is needed.
enum PostgresTesting {
  static let database = ProcessInfo.processInfo.environment["CART_TEST_DATABASE"]
}

extension Trait where Self == ConditionTrait {
  static var requiresPostgres: Self {
    .enabled(if: PostgresTesting.database != nil, "CART_TEST_DATABASE names no PostgreSQL")
  }
}

/// A schema of one test's own, dropped after it.
final class PostgresSchema: Sendable {
  let name: String

  /// - Parameter migrated: whether the tables are there.
  init(_ name: String? = nil, migrated: Bool = true) throws {
    self.name = name ?? RedisTesting.uniqueName("cart test ")
    if migrated { try PostgresMigrations(connection()).run() }
  }

  deinit {
    guard let connection = try? connection() else { return }
    _ = try? connection.execute(
      "DROP SCHEMA IF EXISTS \(connection.configuration.quotedSchema) CASCADE", label: "drop")
  }

  func configuration(
    applicationName: String = "tests", patience: PostgresConfiguration.Patience = .command
  ) throws -> PostgresConfiguration {
    var configuration = try PostgresConfiguration(
      connectionString: #require(PostgresTesting.database), schema: name, applicationName: applicationName,
      patience: patience)
    // All suites run at once: a PostgreSQL that is busy with the others is not one that is away.
    configuration.connectTimeout = max(configuration.connectTimeout, 10_000)
    configuration.statementTimeout = max(configuration.statementTimeout, 20_000)
    return configuration
  }

  /// A new connection.
  func connection(
    applicationName: String = "tests", patience: PostgresConfiguration.Patience = .command
  ) throws -> PostgresConnection {
    PostgresConnection(try configuration(applicationName: applicationName, patience: patience))
  }

  /// Imports `text` and answers what was reported; the stock has followed.
  @discardableResult
  func load(
    _ text: String, _ format: ImportFormat = .ndjson
  ) throws -> (report: ImportReport, problems: [ImportProblem]) {
    try load(ImportBytes(Array(text.utf8)), format)
  }

  @discardableResult
  func load(
    _ source: any ImportSource, _ format: ImportFormat
  ) throws -> (report: ImportReport, problems: [ImportProblem]) {
    var problems: [ImportProblem] = []
    let report = try CatalogueImport(connection()).run(source, format, problem: { problems.append($0) })
    #expect(report.badLines == problems.count)
    let catalogue = PostgresCatalogue(try connection())
    while try catalogue.applyStockChanges(limit: 300).hasMore {}
    return (report, problems)
  }

  /// Imports `text`, which must hold no bad line.
  @discardableResult
  func loadAll(_ text: String, _ format: ImportFormat = .ndjson) throws -> ImportReport {
    let (report, problems) = try load(text, format)
    #expect(problems == [])
    return report
  }

  func product(_ sku: String) throws -> Product? {
    try PostgresCatalogue(connection()).products(for: [#require(SKU(sku))])[0]
  }

  func catalogueVersion() throws -> Int64 { try PostgresCatalogue(connection()).catalogueVersion() }

  /// Runs `sql` in a transaction, then `body`, and commits.
  func order(_ sql: String, _ body: () -> Void) throws {
    let connection = try connection()
    try connection.begin()
    try connection.execute(sql, label: "order")
    body()
    try connection.commit()
  }

  /// The rows of a query as text; NULL is `nil`.
  func rows(_ sql: String) throws -> [[String?]] {
    let rows = try connection().execute(sql, label: "look")
    return (0..<rows.rowCount).map { row in (0..<rows.columnCount).map { rows.text(row, $0) } }
  }
}
