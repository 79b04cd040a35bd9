package import CartDomain
import CartJSON

extension PostgresCarts {
  /// Records changes, one row for each: all of them or none. What is recorded already stays as it is.
  ///
  /// - Throws: ``StoreError``; with ``StoreError/Code/corrupt`` where the database refuses the data.
  func record(_ events: [CartEvent]) throws(StoreError) {
    if events.isEmpty { return }
    let parameters = Self.columns(of: events)
    do throws(StoreError) {
      _ = try run(Self.record, parameters)
    } catch {
      // It may be that a month has no partition, which is a broken constraint.
      guard error.code == .corrupt, try makeMonths(of: events) else { throw error }
      _ = try run(Self.record, parameters)
    }
  }

  /// - Returns: whether a partition was missing.
  private func makeMonths(of events: [CartEvent]) throws(StoreError) -> Bool {
    var months: [Substring: Int64] = [:]
    for event in events { months[event.at.rfc3339.prefix(7)] = event.at.milliseconds }
    let missing = try run(Self.missingMonths, [.integers(months.values.map { $0 })])
    for row in 0..<missing.rowCount { try ensureMonth(missing.integer(row, 0) ?? 0) }
    return missing.rowCount > 0
  }

  /// Tries the locks that a new partition needs, and does not wait for them: what comes behind who waits would wait too.
  private func ensureMonth(_ moment: Int64) throws(StoreError) {
    try inTransaction { () throws(StoreError) in
      _ = try run(Self.hurry, [])
      _ = try run(Self.ensureMonth, [.integer(moment)])
    }
  }

  /// Whether a change could be recorded now: one is, and taken back.
  func tryToRecord(at moment: Timestamp) throws(StoreError) {
    try takingBack { () throws(StoreError) in
      _ = try run(Self.tryToRecord, [.integer(moment.milliseconds)])
    }
  }

  /// The record of a cart's changes: of those that match, the newest, in the order in which they were made.
  ///
  /// - Parameters:
  ///   - sku: of this line alone.
  ///   - since: made then or later.
  package func changes(
    of owner: CartOwner, sku: SKU? = nil, since: Timestamp? = nil, limit: Int
  ) throws(StoreError) -> [RecordedChange] {
    let rows = try run(
      Self.changes,
      [.text(owner.kind), .text(owner.id), .text(sku?.text), .integer(since?.milliseconds), .integer(limit)])
    var changes: [RecordedChange] = []
    for row in (0..<rows.rowCount).reversed() { changes.append(try RecordedChange(rows, row)) }
    return changes
  }

  static let changes = PostgresStatement(
    "changes_of_cart",
    """
    SELECT (extract(epoch FROM at) * 1000)::bigint, epoch, version, sku, action, request_id,
      \(RecordedChange.State.columns(of: "before")),
      \(RecordedChange.State.columns(of: "after"))
    FROM cart_changes
    WHERE owner_kind = $1 AND owner_id = $2 AND sku = coalesce($3, sku)
      AND at >= coalesce(to_timestamp($4::bigint / 1000.0), '-infinity')
    ORDER BY epoch DESC, version DESC, at DESC, sku DESC
    LIMIT $5
    """)

  /// Makes the partitions of the record for this month and the next two, if nobody holds locks that this needs.
  package func prepareMonths() throws(StoreError) {
    let missing = try run(Self.monthsToCome, [])
    for row in 0..<missing.rowCount { try ensureMonth(missing.integer(row, 0) ?? 0) }
  }

  /// Drops the partitions of months that ended more than `months` months ago, if nobody is reading the record.
  package func dropMonths(before months: Int) throws(StoreError) {
    let rows = try run(Self.oldMonths, [.integer(months)])
    for row in 0..<rows.rowCount {
      guard let name = rows.text(row, 0) else { continue }
      try inTransaction { () throws(StoreError) in
        _ = try run(Self.hurry, [])
        do throws(PostgresError) {
          try connection.execute("DROP TABLE IF EXISTS \(name)", label: "drop a month")
        } catch {
          throw error.withKnownOutcome.storeError
        }
      }
    }
  }

  private static let hurry = PostgresStatement("changes_hurry", "SELECT set_config('lock_timeout', '50ms', true)")

  /// Partitions by their quoted names; their own say which month they hold.
  private static let oldMonths = PostgresStatement(
    "changes_old_months",
    """
    SELECT c.oid::regclass::text
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('cart_events'::regclass, 'line_changes'::regclass)
      AND c.relname ~ '^cart_(events|changes)_[0-9]{4}_[0-9]{2}$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', now()) - $1::integer * interval '1 month'
    """)

  private static let ensureMonth = PostgresStatement(
    "changes_ensure", "SELECT ensure_cart_events(to_timestamp($1::bigint / 1000.0))")

  private static func missing(of moments: String) -> String {
    """
    SELECT (extract(epoch FROM moment) * 1000)::bigint FROM (\(moments)) AS m (moment)
    WHERE to_regclass(format('%I.%I', current_schema(),
      'cart_events_' || to_char(moment AT TIME ZONE 'UTC', 'YYYY_MM'))) IS NULL
    """
  }

  private static let missingMonths = PostgresStatement(
    "changes_missing_months", missing(of: "SELECT to_timestamp(at / 1000.0) FROM unnest($1::bigint[]) AS at"))

  private static let monthsToCome = PostgresStatement(
    "changes_months_to_come",
    missing(of: "SELECT date_trunc('month', now()) + n * interval '1 month' FROM generate_series(0, 2) AS n"))

  private static let record = PostgresStatement(
    "changes_record",
    """
    INSERT INTO cart_events (owner_kind, owner_id, epoch, version, action, at, request_id, lines)
    SELECT owner_kind, owner_id, epoch, version, action, to_timestamp(at / 1000.0), request_id, lines
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::text[], $8::jsonb[])
      AS n (owner_kind, owner_id, epoch, version, action, at, request_id, lines)
    ORDER BY owner_kind, owner_id, epoch, version
    ON CONFLICT DO NOTHING
    """)

  private static let tryToRecord = PostgresStatement(
    "changes_try",
    """
    INSERT INTO cart_events (owner_kind, owner_id, epoch, version, action, at, request_id, lines)
    VALUES ('', '', 0, 0, '', to_timestamp($1::bigint / 1000.0), '', '[]')
    """)

  /// The parameters of ``record``.
  private static func columns(of events: [CartEvent]) -> [PostgresParameter] {
    [
      .texts(events.map(\.owner.kind)), .texts(events.map(\.owner.id)), .integers(events.map(\.epoch)),
      .integers(events.map(\.version)), .texts(events.map(\.action)), .integers(events.map(\.at.milliseconds)),
      .texts(events.map(\.requestID)), .texts(events.map(\.lines)),
    ]
  }
}

extension CartEvent {
  /// The column `lines`: an array of SKU, line before and line after.
  fileprivate var lines: String {
    var writer = JSONWriter(capacity: 64 + touched.count * 256 + touches * 80)
    writer.array {
      if let selection {
        for sku in selection.skus {
          $0.object {
            $0.field("sku", sku.text)
            $0.key("before")
            LineItem.writeRecord(selected: !selection.isSelected, with: &$0)
            $0.key("after")
            LineItem.writeRecord(selected: selection.isSelected, with: &$0)
          }
        }
      }
      for touch in touched {
        $0.object {
          $0.field("sku", touch.sku.text)
          $0.key("before")
          LineItem.writeRecord(touch.before, currency: currency, with: &$0)
          $0.key("after")
          LineItem.writeRecord(touch.after, currency: currency, with: &$0)
        }
      }
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
