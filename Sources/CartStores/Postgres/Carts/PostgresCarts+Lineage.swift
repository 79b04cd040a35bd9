package import CartDomain

extension PostgresCarts {
  /// The place of this database in time; see ``DatabaseLineage``.
  package func lineage() throws(StoreError) -> DatabaseLineage {
    let rows = try run(Self.lineage, [])
    guard let tag = rows.text(0, 0), let number = rows.integer(0, 1) else { throw Self.incomplete.storeError }
    return DatabaseLineage(tag: tag, number: number)
  }

  /// Reads a tag and the number behind it; 0 where there is none.
  static func lineage(_ rows: borrowing PostgresResult, _ column: Int) throws(StoreError) -> DatabaseLineage {
    guard let tag = rows.text(0, column) else { throw incomplete.storeError }
    return DatabaseLineage(tag: tag, number: rows.integer(0, column + 1) ?? 0)
  }

  static let lineage = PostgresStatement(
    "lineage", "SELECT tag, (SELECT max(l.number) FROM sync_lanes l) FROM database_lineage WHERE is_only_row")
}

/// The place of a database in time.
package struct DatabaseLineage: Equatable, Sendable {
  /// Another after the database was put back.
  package var tag: String
  /// Grows with each batch that is committed in one syncer's lane; milliseconds since 1970, or the next number where
  /// there are more.
  package var number: Int64
}

extension DatabaseLineage {
  /// Reads what stands under ``RedisKeys/database``: ``text``, and behind it the tag that takes its place when every cart
  /// is marked. `nil` for anything else.
  init?(_ text: String) {
    let parts = text.split(separator: "|")
    guard parts.count == 2 || parts.count == 3, let number = Int64(parts[1]) else { return nil }
    self.init(tag: String(parts.count == 3 ? parts[2] : parts[0]), number: number)
  }

  /// As it stands under ``RedisKeys/database``.
  var text: String { "\(tag)|\(number)" }
}
