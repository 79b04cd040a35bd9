/// What an operator wants to know of a PostgreSQL.
package struct PostgresExamination: Sendable {
  /// E.g. 150006.
  package var version: Int64 = 0
  /// False on a replica and in a transaction that only reads.
  package var isWritable = false
  /// The user may make tables in the schema: the months of the record need it.
  package var mayCreate = false
  /// Milliseconds since 1970.
  package var time: Int64 = 0
  /// Migrations that were not run, or why that can't be told.
  package var pending: [PostgresMigration] = []
  package var migrationProblem: PostgresError?
  /// Tables that the user may not read and write.
  package var forbiddenTables: [String] = []
  /// Months (`2026_11`) of this and the next month whose partition is missing.
  package var missingMonths: [String] = []
  /// Carts that have something in them, or had.
  package var carts: Int64 = 0
  /// Commands that wait for carts, and for how many milliseconds the first has.
  package var commands: Int64 = 0
  package var commandsWaiting: Int64 = 0
}

extension PostgresConnection {
  /// Asks for everything in ``PostgresExamination``.
  ///
  /// - Throws: ``PostgresError`` where PostgreSQL is away.
  package func examine() throws(PostgresError) -> PostgresExamination {
    var found = PostgresExamination()
    let server = try query(Self.server)
    found.version = server.integer(0, 0) ?? 0
    found.isWritable = server.boolean(0, 1) ?? false
    found.mayCreate = server.boolean(0, 2) ?? false
    found.time = server.integer(0, 3) ?? 0
    do throws(PostgresError) {
      found.pending = try PostgresMigrations(self).pending()
    } catch {
      if error.isConnectionLost { throw error }
      found.migrationProblem = error
    }
    // The rest needs the tables.
    if !found.pending.isEmpty || found.migrationProblem != nil { return found }
    let tables = try query(Self.forbidden)
    found.forbiddenTables = (0..<tables.rowCount).compactMap { tables.text($0, 0) }
    if !found.forbiddenTables.isEmpty { return found }
    let carts = try query(Self.carts)
    found.carts = carts.integer(0, 0) ?? 0
    found.commands = carts.integer(0, 1) ?? 0
    found.commandsWaiting = carts.integer(0, 2) ?? 0
    let months = try query(Self.months)
    found.missingMonths = (0..<months.rowCount).compactMap { months.text($0, 0) }
    return found
  }

  private static let server = PostgresStatement(
    "examine_server",
    """
    SELECT current_setting('server_version_num')::bigint,
      NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off',
      coalesce(has_schema_privilege(current_schema(), 'CREATE'), has_database_privilege(current_database(), 'CREATE')),
      (extract(epoch FROM clock_timestamp()) * 1000)::bigint
    """)

  private static let forbidden = PostgresStatement(
    "examine_tables",
    """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname <> 'schema_migrations'
      AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
    ORDER BY c.relname
    """)

  private static let carts = PostgresStatement(
    "examine_carts",
    """
    SELECT (SELECT count(*) FROM carts WHERE version > 0 AND state <> 2), count(*),
      coalesce((extract(epoch FROM now() - min(created_at)) * 1000)::bigint, 0)
    FROM cart_inbox
    """)

  private static let months = PostgresStatement(
    "examine_months",
    """
    SELECT m.month FROM generate_series(0, 1) AS n,
      LATERAL (SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month', 'YYYY_MM') AS month) m
    WHERE to_regclass(format('%I.%I', current_schema(), 'cart_events_' || m.month)) IS NULL
    ORDER BY m.month
    """)
}
