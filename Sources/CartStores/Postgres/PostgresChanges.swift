package import CartDomain
import CartJSON

extension PostgresCarts {
  /// Records changes, one row for each line that an event touched.
  func record(_ events: [CartEvent]) throws(StoreError) {
    var rows = ChangeRows()
    for event in events { rows.append(event) }
    if rows.isEmpty { return }
    for month in rows.months { _ = try read(Self.ensureMonth, [.integer(month)]) }
    _ = try read(Self.record, rows.parameters)
  }

  /// The record of a cart's changes: of those that match, the newest, in the order in which they were made.
  ///
  /// - Parameters:
  ///   - sku: of this line alone.
  ///   - since: made then or later.
  package func changes(
    of owner: CartOwner, sku: SKU? = nil, since: Timestamp? = nil, limit: Int
  ) throws(StoreError) -> [RecordedChange] {
    let rows = try read(
      Self.changes,
      [.text(owner.kind), .text(owner.id), .text(sku?.text), .integer(since?.milliseconds), .integer(limit)])
    var changes: [RecordedChange] = []
    for row in (0..<rows.rowCount).reversed() { changes.append(try RecordedChange(rows, row)) }
    return changes
  }

  private static let changes = PostgresStatement(
    "changes_of_cart",
    """
    SELECT (extract(epoch FROM at) * 1000)::bigint, epoch, version, sku, action, request_id,
      (before ->> 'quantity')::bigint, (before ->> 'selected')::boolean, (before ->> 'unitPrice')::bigint,
      before ->> 'currency', before -> 'extraData',
      (after ->> 'quantity')::bigint, (after ->> 'selected')::boolean, (after ->> 'unitPrice')::bigint,
      after ->> 'currency', after -> 'extraData'
    FROM cart_changes
    WHERE owner_kind = $1 AND owner_id = $2 AND sku = coalesce($3, sku)
      AND at >= coalesce(to_timestamp($4::bigint / 1000.0), '-infinity')
    ORDER BY epoch DESC, version DESC, at DESC, sku DESC
    LIMIT $5
    """)

  /// Makes the partitions of the record for this month and the next two.
  package func prepareMonths() throws(StoreError) { _ = try read(Self.prepareMonths, []) }

  /// Drops the partitions of months that ended more than `months` months ago.
  package func dropMonths(before months: Int) throws(StoreError) {
    let rows = try read(Self.oldMonths, [.integer(months)])
    for row in 0..<rows.rowCount {
      guard let name = rows.text(row, 0) else { continue }
      do throws(PostgresError) {
        try connection.execute("DROP TABLE IF EXISTS \(name)", label: "drop a month")
      } catch {
        throw error.withKnownOutcome.storeError
      }
    }
  }

  /// Partitions by their quoted names; their own say which month they hold.
  private static let oldMonths = PostgresStatement(
    "changes_old_months",
    """
    SELECT c.oid::regclass::text
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'cart_changes'::regclass AND c.relname ~ '^cart_changes_[0-9]{4}_[0-9]{2}$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', now()) - $1::integer * interval '1 month'
    """)

  private static let ensureMonth = PostgresStatement(
    "changes_ensure", "SELECT ensure_cart_changes(to_timestamp($1::bigint / 1000.0))")

  private static let prepareMonths = PostgresStatement(
    "changes_prepare", "SELECT ensure_cart_changes(now() + n * interval '1 month') FROM generate_series(0, 2) AS n")

  private static let record = PostgresStatement(
    "changes_record",
    """
    INSERT INTO cart_changes (owner_kind, owner_id, epoch, version, sku, action, before, after, at, request_id)
    SELECT owner_kind, owner_id, epoch, version, sku, action, before, after, to_timestamp(at / 1000.0), request_id
    FROM unnest(
      $1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[], $8::jsonb[],
      $9::bigint[], $10::text[])
      AS n (owner_kind, owner_id, epoch, version, sku, action, before, after, at, request_id)
    ORDER BY owner_kind, owner_id, epoch, version, sku
    ON CONFLICT DO NOTHING
    """)
}

/// Rows of `cart_changes`, by columns.
private struct ChangeRows {
  private var kinds: [String] = []
  private var ids: [String] = []
  private var epochs: [Int64?] = []
  private var versions: [Int64?] = []
  private var skus: [String] = []
  private var actions: [String] = []
  private var before: [String?] = []
  private var after: [String?] = []
  private var moments: [Int64?] = []
  private var requests: [String] = []

  var isEmpty: Bool { kinds.isEmpty }

  mutating func append(_ event: CartEvent) {
    for touch in event.touched {
      append(
        event, touch.sku, before: touch.before.map { Self.json($0, event.currency) },
        after: touch.after.map { Self.json($0, event.currency) })
    }
    guard let selection = event.selection else { return }
    let states = [#"{"selected":false}"#, #"{"selected":true}"#]
    for sku in selection.skus {
      append(
        event, sku, before: states[selection.isSelected ? 0 : 1], after: states[selection.isSelected ? 1 : 0])
    }
  }

  private mutating func append(_ event: CartEvent, _ sku: SKU, before: String?, after: String?) {
    kinds.append(event.owner.kind)
    ids.append(event.owner.id)
    epochs.append(event.epoch)
    versions.append(event.version)
    skus.append(sku.text)
    actions.append(event.action)
    self.before.append(before)
    self.after.append(after)
    moments.append(event.at.milliseconds)
    requests.append(event.requestID)
  }

  /// One moment of each month that occurs.
  var months: [Int64] {
    var months: [Substring: Int64] = [:]
    for moment in moments {
      guard let moment else { continue }
      months[Timestamp(milliseconds: moment).rfc3339.prefix(7)] = moment
    }
    return Array(months.values)
  }

  var parameters: [PostgresParameter] {
    [
      .texts(kinds), .texts(ids), .integers(epochs), .integers(versions), .texts(skus), .texts(actions),
      .texts(before), .texts(after), .integers(moments), .texts(requests),
    ]
  }

  private static func json(_ line: LineItem, _ currency: Currency?) -> String {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("quantity")
    writer.integer(line.quantity)
    writer.key("selected")
    writer.boolean(line.isSelected)
    writer.key("merchantId")
    writer.string(line.merchantID.text)
    writer.key("unitPrice")
    writer.integer(line.unitPrice)
    writer.key("currency")
    writer.string(currency?.code)
    writer.key("addedAt")
    writer.string(line.addedAt.rfc3339)
    writer.key("revision")
    writer.string(line.revision.text)
    if let data = line.clientData {
      writer.key("extraData")
      writer.json(data[...])
    }
    writer.endObject()
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
