import CartDomain
package import CartJSON

// The shapes in which a line is stored, each read beside where it is written: packed in Redis, a row and a record in
// PostgreSQL. The scripts read and write the packed one in line.lua.

// MARK: Packed

/// The value of a line's field in ``CartHash``, and in the events of the stream; the client data stands beside it:
///
///     quantity|selected|born|line version|merchant|unit price|revision
///
/// The last three are the tail, which a line takes over from its product. The merchant is percent-encoded.
extension LineItem {
  /// - Throws: ``StoreError/Code/corrupt``.
  init(packed value: Span<UInt8>, of sku: SKU) throws(StoreError) {
    var parts = PipeSeparated()
    guard let quantity = parts.number(value),
      (1...Int64(LineItem.maximumQuantity)).contains(quantity),
      let selected = parts.number(value), selected <= 1, let born = parts.number(value),
      let version = parts.number(value),
      let merchant = parts.text(value).flatMap(MerchantID.init), let price = parts.number(value),
      let revision = parts.range(value).flatMap({ RevisionID(utf8: value.extracting($0)) }), parts.isAtEnd
    else { throw .corruptCart("line") }
    self.init(
      sku: sku, quantity: Int(quantity), isSelected: selected == 1, born: born, version: version, merchantID: merchant,
      unitPrice: price, revision: revision, clientData: nil)
  }

  var packed: String { "\(packedHead)|\(version)|\(packedTail)" }

  /// What of a line a command of PostgreSQL's says; the script gives it its version: `quantity|selected|born`.
  var packedHead: String { "\(quantity)|\(isSelected ? 1 : 0)|\(born)" }

  var packedTail: String { Self.packedTail(merchantID, unitPrice, revision) }

  fileprivate static func packedTail(_ merchant: MerchantID, _ unitPrice: Int64, _ revision: RevisionID) -> String {
    "\(merchant.packed)|\(unitPrice)|\(revision.text)"
  }
}

extension Product {
  /// The tail of a line that takes this product over.
  var packedTail: String {
    LineItem.packedTail(content.merchantID, content.unitPrice.minorUnits, revision.id)
  }
}

extension MerchantID {
  /// As it stands in a packed line.
  var packed: String { PercentEncoding.encode(text, reserved: [UInt8(ascii: "|")]) }
}

extension RevisionID {
  /// The revision that a packed line shows.
  init?(ofPackedLine value: Span<UInt8>) {
    var start = value.count
    while start > 0, value[start - 1] != UInt8(ascii: "|") { start -= 1 }
    self.init(utf8: value.extracting(start...))
  }
}

// MARK: Row

/// An element of the column `carts.lines`, and of a merge's command in the inbox.
extension LineItem {
  func writeRow(with writer: inout JSONWriter) {
    writer.object {
      $0.field("sku", sku.text)
      $0.field("quantity", quantity)
      $0.field("selected", isSelected)
      $0.field("born", born)
      $0.field("version", version)
      $0.field("merchant", merchantID.text)
      $0.field("price", unitPrice)
      $0.field("revision", revision.text)
      // As a text: PostgreSQL would put the keys into an order of its own.
      if let clientData { $0.field("data", String(decoding: clientData, as: UTF8.self)) }
    }
  }

  /// `nil` where `value` is not what ``writeRow(with:)`` writes.
  init?(row value: borrowing JSONValue) {
    guard let sku = value.member("sku")?.string.flatMap(SKU.init),
      let quantity = value.member("quantity")?.integer, (1...LineItem.maximumQuantity).contains(quantity),
      let isSelected = value.member("selected")?.boolean, let born = value.member("born")?.integer,
      let version = value.member("version")?.integer,
      let merchant = value.member("merchant")?.string.flatMap(MerchantID.init),
      let price = value.member("price")?.integer,
      let revision = value.member("revision")?.string.flatMap(RevisionID.init)
    else { return nil }
    self.init(
      sku: sku, quantity: quantity, isSelected: isSelected, born: Int64(born), version: Int64(version),
      merchantID: merchant, unitPrice: Int64(price), revision: revision,
      clientData: value.member("data")?.string.map { Array($0.utf8) })
  }
}

// MARK: Record

/// `before` and `after` of an element of the column `cart_events.lines`.
extension LineItem {
  /// `null` for a line that was not there.
  static func writeRecord(_ line: LineItem?, currency: Currency?, with writer: inout JSONWriter) {
    guard let line else { return writer.null() }
    writer.object {
      $0.field("quantity", line.quantity)
      $0.field("selected", line.isSelected)
      $0.field("merchantId", line.merchantID.text)
      $0.field("unitPrice", line.unitPrice)
      $0.field("currency", currency?.code)
      $0.field("addedAt", line.addedAt.rfc3339)
      $0.field("revision", line.revision.text)
      if let data = line.clientData { $0.field("extraData", json: data) }
    }
  }

  /// All that is recorded of a line that was selected or deselected by a filter.
  static func writeRecord(selected isSelected: Bool, with writer: inout JSONWriter) {
    writer.object { $0.field("selected", isSelected) }
  }
}

extension RecordedChange.State {
  /// What ``init(_:_:from:)`` reads of `before` or `after`, in its order.
  static func columns(of record: String) -> String {
    """
    (\(record) ->> 'quantity')::bigint, (\(record) ->> 'selected')::boolean, (\(record) ->> 'unitPrice')::bigint,
      \(record) ->> 'currency', \(record) -> 'extraData'
    """
  }

  static let columnCount = 5

  /// `nil` where the record has no such line.
  init?(_ rows: borrowing PostgresResult, _ row: Int, from column: Int) {
    guard let isSelected = rows.boolean(row, column + 1) else { return nil }
    quantity = rows.integer(row, column).map { Int($0) }
    self.isSelected = isSelected
    if let price = rows.integer(row, column + 2), let currency = rows.text(row, column + 3).flatMap({ Currency($0) }) {
      unitPrice = Money(minorUnits: price, currency: currency)
    }
    clientData = rows.text(row, column + 4).map { Array($0.utf8) }
  }

  /// Writes it as it is recorded, without what is only kept.
  package func write(with writer: inout JSONWriter) {
    writer.object {
      $0.field("selected", isSelected)
      // Of a line that a filter has selected or deselected nothing else is recorded.
      guard let quantity else { return }
      $0.field("quantity", quantity)
      $0.field("unitPrice", unitPrice?.minorUnits)
      $0.field("currency", unitPrice?.currency.code)
      $0.field("extraData", json: clientData)
    }
  }
}
