internal import CPostgres

/// How PostgreSQL is reached, and how long one waits for it.
package struct PostgresConfiguration: Sendable {
  /// How patient a program may be.
  package enum Patience: Sendable {
    /// A worker with a shopper waiting: a second or two, and after a failure PostgreSQL is left alone for some seconds.
    case request
    /// The syncer: nobody waits for it, but what it holds must not be held for long.
    case background
    /// A command at a terminal: minutes, and every use is tried.
    case command
  }

  /// A libpq connection string.
  package let connectionString: String
  /// The schema that holds every table of the project; 1–63 bytes.
  package let schema: String
  /// Shown in `pg_stat_activity`; a connection string may name another.
  package let applicationName: String

  /// Milliseconds; a `connect_timeout` of the connection string wins.
  package var connectTimeout: Int
  /// Milliseconds; the server ends a statement then, and half a second later it is given up here.
  package var statementTimeout: Int
  /// Milliseconds.
  package var lockTimeout: Int
  /// The same for transactions that lock rows of orders, of stock and of single carts, which others hold for a moment:
  /// who doesn't get one soon is better told so than kept waiting.
  package var rowLockTimeout: Int
  /// For so many milliseconds after a time-out or a refused connection nothing is tried; 0 for always trying.
  package var restAfterFailure: Int
  /// Whether a time-out in the middle counts as such a failure; if not, only one while connecting does.
  package var restsAfterTimeout: Bool
  /// How the connection's statements are planned: settings in SQL.
  package var planning: String

  /// - Throws: ``SettingsError`` for a connection string that libpq can't read or an impossible schema.
  package init(
    connectionString: String, schema: String = "cart", applicationName: String = "cartd",
    patience: Patience = .request
  ) throws(SettingsError) {
    guard (1...63).contains(schema.utf8.count), !schema.utf8.contains(0) else {
      throw SettingsError("\(SettingKey.schema.rawValue): not a name of 1 to 63 bytes")
    }
    let givenTimeout = try Self.connectTimeout(of: connectionString)
    self.connectionString = connectionString
    self.schema = schema
    self.applicationName = applicationName
    planning = Self.planning(for: patience)
    // The syncer tries the halves of a batch that took too long.
    restsAfterTimeout = patience != .background
    switch patience {
    case .request:
      (connectTimeout, statementTimeout, lockTimeout, restAfterFailure) = (1_000, 2_000, 1_000, 3_000)
      rowLockTimeout = 150
    case .background:
      // Its batches are small: one that takes longer than this is cut off, and done in halves.
      (connectTimeout, statementTimeout, lockTimeout, restAfterFailure) = (2_000, 5_000, 200, 1_000)
      // One row that is held must not keep the others waiting.
      rowLockTimeout = 50
    case .command:
      (connectTimeout, statementTimeout, lockTimeout, restAfterFailure) = (10_000, 600_000, 60_000, 0)
      rowLockTimeout = 5_000
    }
    if let givenTimeout { connectTimeout = min(givenTimeout, 600) * 1_000 }
  }

  /// A worker asks for a few rows by their keys: its statements are planned once on each connection, and read tables by
  /// their indexes alone. PostgreSQL by itself would plan statements with arrays anew each time, and would keep to
  /// reading through a table that was small when the plan was made. The syncer's batches are large and few: a plan for
  /// the tables as they are costs less than one for the tables as they were.
  private static func planning(for patience: Patience) -> String {
    switch patience {
    case .request: "SET plan_cache_mode TO force_generic_plan; SET enable_seqscan TO off; SET jit TO off"
    case .background: "SET plan_cache_mode TO force_custom_plan; SET jit TO off"
    case .command: ""
    }
  }

  /// Reads ``SettingKey/database`` and ``SettingKey/schema``.
  package init(
    _ settings: Settings, applicationName: String = "cartd", patience: Patience = .request
  ) throws(SettingsError) {
    try self.init(
      connectionString: settings[.database], schema: settings[.schema], applicationName: applicationName,
      patience: patience)
  }

  /// The schema as an identifier in SQL.
  package var quotedSchema: String {
    var quoted = "\""
    for scalar in schema.unicodeScalars {
      if scalar == "\"" { quoted += "\"" }
      quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
  }

  /// Seconds; `nil` where the string leaves it open, or says 0 for waiting without end.
  private static func connectTimeout(of text: String) throws(SettingsError) -> Int? {
    var message: UnsafeMutablePointer<CChar>?
    guard !text.utf8.contains(0), let options = unsafe PQconninfoParse(text, &message) else {
      unsafe PQfreemem(message)
      // libpq's own message would quote a part of the string, and that may be a password.
      throw SettingsError("\(SettingKey.database.rawValue): not a libpq connection string")
    }
    defer { unsafe PQconninfoFree(options) }
    var index = 0
    while let keyword = unsafe options[index].keyword {
      if unsafe String(cString: keyword) == "connect_timeout", let value = unsafe options[index].val {
        return Int(unsafe String(cString: value)).flatMap { $0 > 0 ? $0 : nil }
      }
      index += 1
    }
    return nil
  }
}
