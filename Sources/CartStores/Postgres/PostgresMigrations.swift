/// One numbered change of the schema. It never changes once it was released.
package struct PostgresMigration: Sendable {
  /// From 1, without gaps.
  package let version: Int
  package let name: String
  /// Runs in a transaction of its own, with the configured schema as its `search_path`.
  package let sql: String

  package init(version: Int, name: String, sql: String) {
    self.version = version
    self.name = name
    self.sql = sql
  }

  /// All of them in order, from the files under `Migrations/`.
  package static let all: [PostgresMigration] = [
    PostgresMigration(version: 1, name: "catalogue", bytes: PackageResources.v0001_catalogue_sql),
    PostgresMigration(version: 2, name: "carts", bytes: PackageResources.v0002_carts_sql),
    PostgresMigration(version: 3, name: "merges", bytes: PackageResources.v0003_merges_sql),
    PostgresMigration(version: 4, name: "orders", bytes: PackageResources.v0004_orders_sql),
    PostgresMigration(version: 5, name: "events", bytes: PackageResources.v0005_events_sql),
    PostgresMigration(version: 6, name: "stock", bytes: PackageResources.v0006_stock_sql),
    PostgresMigration(version: 7, name: "retention", bytes: PackageResources.v0007_retention_sql),
    PostgresMigration(version: 8, name: "speakers", bytes: PackageResources.v0008_speakers_sql),
  ]

  private init(version: Int, name: String, bytes: [UInt8]) {
    self.init(version: version, name: name, sql: String(decoding: bytes, as: UTF8.self))
  }
}

/// Brings a schema to the version of this program, however often and from however many places it is run.
package struct PostgresMigrations {
  private let connection: PostgresConnection
  private let migrations: [PostgresMigration]

  package init(_ connection: PostgresConnection, migrations: [PostgresMigration] = PostgresMigration.all) {
    self.connection = connection
    self.migrations = migrations
  }

  /// Runs what is missing, each migration in a transaction, and tells of each one that it ran.
  ///
  /// - Throws: ``PostgresError``; also where the schema was made by a newer program, or a migration that was run
  ///   differs from the one known here: then nothing is run.
  package func run(_ didRun: (PostgresMigration) -> Void = { _ in }) throws(PostgresError) {
    try checkEncoding()
    // Held by the session, since it spans the migrations' own transactions.
    _ = try connection.query(Self.lock, [lockName])
    defer { unlock() }
    try createSchema()
    let done = try recorded()
    try check(done)
    for migration in migrations.dropFirst(done.count) {
      try connection.transaction { () throws(PostgresError) in
        try connection.execute(migration.sql, label: "migration \(migration.version) \(migration.name)")
        _ = try connection.query(
          Self.record, [.integer(migration.version), .text(migration.name), .text(migration.sql)])
      }
      didRun(migration)
    }
  }

  /// What `run` would run; empty where the schema is up to date.
  ///
  /// - Throws: as ``run(_:)`` does.
  package func pending() throws(PostgresError) -> [PostgresMigration] {
    let exists = try connection.query(Self.tableExists)
    guard exists.boolean(0, 0) == true else { return migrations }
    let done = try recorded()
    try check(done)
    return Array(migrations.dropFirst(done.count))
  }

  // MARK: Steps

  private typealias Recorded = (version: Int64, name: String, isUnchanged: Bool)

  private var lockName: PostgresParameter { .text("cartd migrations of " + connection.configuration.schema) }

  private func unlock() {
    do throws(PostgresError) {
      _ = try connection.query(Self.unlock, [lockName])
    } catch {
      // The server lets go of it with the session.
      connection.close()
    }
  }

  private func checkEncoding() throws(PostgresError) {
    let encoding = try connection.execute("SHOW server_encoding", label: "encoding").text(0, 0) ?? ""
    if encoding != "UTF8" { throw PostgresError("PostgreSQL: the database is encoded in \(encoding), not in UTF8") }
  }

  private func createSchema() throws(PostgresError) {
    // CREATE … IF NOT EXISTS asks for the right to create also where there is nothing to do.
    let schemaExists = try connection.query(Self.schemaExists, [.text(connection.configuration.schema)])
    if schemaExists.boolean(0, 0) != true {
      try connection.execute("CREATE SCHEMA \(connection.configuration.quotedSchema)", label: "create schema")
    }
    let tableExists = try connection.query(Self.tableExists)
    if tableExists.boolean(0, 0) != true { try connection.execute(Self.createTable, label: "create schema_migrations") }
  }

  private func recorded() throws(PostgresError) -> [Recorded] {
    let known = migrations.map { Int64($0.version) }
    let rows = try connection.query(Self.recorded, [.integers(known), .texts(migrations.map(\.sql))])
    return (0..<rows.rowCount).map { row in
      (rows.integer(row, 0) ?? 0, rows.text(row, 1) ?? "", rows.boolean(row, 2) ?? false)
    }
  }

  private func check(_ done: [Recorded]) throws(PostgresError) {
    let schema = connection.configuration.schema
    for (index, row) in done.enumerated() {
      let title = "migration \(row.version) \(row.name)"
      guard index < migrations.count else {
        throw PostgresError("schema \(schema) is newer than this program: \(title) is not known here")
      }
      guard row.version == migrations[index].version else {
        throw PostgresError("schema \(schema): \(title) stands where \(migrations[index].version) is due")
      }
      guard row.isUnchanged else {
        throw PostgresError("schema \(schema): \(title) was changed after it was run")
      }
    }
  }

  // MARK: SQL

  private static let lock = PostgresStatement(
    "migrations_lock", "SELECT pg_advisory_lock(hashtextextended($1, 0))")
  private static let unlock = PostgresStatement(
    "migrations_unlock", "SELECT pg_advisory_unlock(hashtextextended($1, 0))")
  private static let schemaExists = PostgresStatement(
    "schema_exists", "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)")
  private static let tableExists = PostgresStatement(
    "migrations_exist",
    """
    SELECT EXISTS (
      SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relname = 'schema_migrations' AND n.nspname = current_schema())
    """)
  private static let createTable = """
    CREATE TABLE schema_migrations (
      version integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now())
    """
  private static let recorded = PostgresStatement(
    "migrations_recorded",
    """
    SELECT m.version, m.name, m.sha256 IS NOT DISTINCT FROM sha256(convert_to(k.sql, 'UTF8'))
    FROM schema_migrations m
    LEFT JOIN unnest($1::integer[], $2::text[]) AS k (version, sql) USING (version)
    ORDER BY m.version
    """)
  private static let record = PostgresStatement(
    "migrations_record",
    "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))")
}
