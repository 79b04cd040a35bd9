import CartDomain
import Foundation
import Testing

@testable import CartStores

/// What a syncer asks PostgreSQL for all the time, it finds by an index, however many carts there are.
@Suite("Plans of statements", .requiresPostgres)
struct StatementPlanTests {
  private static let rows = 50_000

  private func fill(_ schema: PostgresSchema) throws {
    _ = try schema.rows(
      """
      INSERT INTO carts (owner_kind, owner_id, epoch, data_epoch, version, lines, currency, state, synced_at, expires_at)
      SELECT CASE n % 2 WHEN 0 THEN 'guest' ELSE 'user' END, 'owner' || n, 1, 1, 1, '[{"sku": "A"}]', 'GBP',
        CASE WHEN n % 1000 = 0 THEN 1 ELSE 0 END, now(), CASE n % 2 WHEN 0 THEN now() + interval '30 days' END
      FROM generate_series(1, \(Self.rows)) AS n;
      INSERT INTO cart_inbox (owner_kind, owner_id, number, previous, action, payload, created_at)
      SELECT 'user', 'owner' || n, n, 0, 'order', '{}', now() - n * interval '1 second'
      FROM generate_series(1, \(Self.rows)) AS n;
      INSERT INTO cart_events (owner_kind, owner_id, epoch, version, action, at, request_id, lines)
      SELECT 'user', 'owner' || n % 1000, 1, n, 'add', now(), '', '[]' FROM generate_series(1, \(Self.rows)) AS n;
      ANALYZE carts; ANALYZE cart_inbox; ANALYZE cart_events
      """)
  }

  /// What the statement reads from beginning to end.
  private func sequentialScans(
    _ statement: PostgresStatement, _ arguments: [String], _ connection: PostgresConnection
  ) throws -> [String] {
    try connection.execute("PREPARE planned AS \(statement.sql)", label: "prepare")
    defer { _ = try? connection.execute("DEALLOCATE planned", label: "deallocate") }
    let list = arguments.isEmpty ? "" : "(\(arguments.joined(separator: ", ")))"
    let plan = try connection.execute("EXPLAIN EXECUTE planned\(list)", label: "explain")
    let lines = (0..<plan.rowCount).compactMap { plan.text($0, 0) }
    // The months to come are empty.
    let month = Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1_000)).rfc3339.prefix(7)
    let large = ["carts", "cart_inbox", "cart_events_\(month.replacing("-", with: "_"))"]
    return lines.filter { line in large.contains { line.contains("Seq Scan on \($0) ") } }
  }

  @Test("No statement of the syncer reads a table from its beginning to its end")
  func indexes() throws {
    let schema = try PostgresSchema()
    try fill(schema)
    let connection = try schema.connection(patience: .background)
    let owners = (0..<200).map { "owner\($0 * 2 + 1)" }.joined(separator: ",")
    let kinds = [String](repeating: "user", count: 200).joined(separator: ",")
    let numbers = [String](repeating: "1", count: 200).joined(separator: ",")
    let flags = [String](repeating: "f", count: 200).joined(separator: ",")
    let nulls = [String](repeating: "NULL", count: 200).joined(separator: ",")
    let lines = [String](repeating: "[]", count: 200).joined(separator: ",")
    func list(_ values: String) -> String { "'{\(values)}'" }
    let copies = [
      list(kinds), list(owners), list(numbers), list(numbers), list(nulls), list(numbers), list(lines), list(nulls),
      list(numbers), list(numbers), list(nulls), list(nulls), list(numbers), list(nulls),
    ]
    let both = [list(kinds), list(owners)]
    let asked: [(PostgresStatement, [String])] = [
      (PostgresCarts.persistUnlocked, copies + ["0", "1"]), (PostgresCarts.persist, copies),
      (PostgresCarts.places, both), (PostgresCarts.delivered, both), (PostgresCarts.lock, both),
      (PostgresCarts.raise, both + [list(numbers), list(numbers), list(flags)]),
      (PostgresCarts.row, ["'user'", "'owner7'"]),
      (PostgresCarts.release, ["'user'", "'owner7'", "1", "1"]),
      (PostgresCarts.commands, ["'user'", "'owner7'", "0"]), (PostgresCarts.waiting, ["1000", "0", "20"]),
      (PostgresCarts.beingMerged, ["1000", "'owner3'", "20"]), (PostgresCarts.sweep, ["'guest'", "'owner4'", "1000"]),
      (PostgresCarts.page, ["'guest'", "'owner4'", "500"]),
      (PostgresCarts.changes, ["'user'", "'owner7'", "NULL", "NULL", "100"]),
    ]
    for (statement, arguments) in asked {
      #expect(try sequentialScans(statement, arguments, connection) == [], "\(statement.name)")
    }
    // The test can fail.
    let whole = PostgresStatement("whole", "SELECT count(*) FROM carts WHERE updated_at < now()")
    #expect(try sequentialScans(whole, [], connection).count == 1)
  }

  @Test("A walk over the carts removes what is over, some rows at a time")
  func sweep() throws {
    let schema = try PostgresSchema()
    try fill(schema)
    _ = try schema.rows("UPDATE carts SET expires_at = now() - interval '2 days' WHERE owner_id LIKE 'owner1%'")
    let archive = PostgresCarts(try schema.connection(patience: .background))
    var place: String?
    var (removed, calls) = (0, 0)
    repeat {
      let found = try archive.sweep(after: place, limit: 1_000)
      removed += found.removed
      calls += 1
      place = found.next
    } while place != nil
    #expect(calls == Self.rows / 1_000 + 1)
    let left = try schema.rows("SELECT owner_kind, count(*) FROM carts GROUP BY owner_kind ORDER BY owner_kind")
    #expect(left == [["guest", "\(Self.rows / 2 - removed)"], ["user", "\(Self.rows / 2)"]] && removed > 1_000)
    #expect(try schema.rows("SELECT FROM carts WHERE expires_at < now() - interval '1 day'").isEmpty == false)
  }
}
