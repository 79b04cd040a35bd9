import CartDomain

/// How a revision's content stands in Redis: `1`, then its fields packed.
///
/// Later versions may append fields; whoever reads a version that he does not know, or garbage, asks PostgreSQL.
enum RevisionCodec {
  private static let version = UInt8(ascii: "1")

  static func encode(_ content: ProductRevision.Content) -> [UInt8] {
    var fields = PackedFields()
    fields.append(content.sku.text)
    fields.append(content.merchantID.text)
    fields.append(content.name)
    fields.append(content.picture)
    fields.append(content.unitPrice.minorUnits)
    fields.append(content.unitPrice.currency.code)
    fields.append(content.purchaseLimit)
    fields.append(content.customerLimit)
    fields.append(content.minimumQuantity)
    fields.append(content.quantityStep)
    fields.append(content.availableFrom?.milliseconds)
    fields.append(content.availableUntil?.milliseconds)
    fields.append(content.isActive ? 1 : 0)
    return [version] + fields.bytes
  }

  /// `nil` where `bytes` are not what ``encode(_:)`` makes.
  static func decode(_ bytes: Span<UInt8>) -> ProductRevision.Content? {
    guard !bytes.isEmpty, bytes[0] == version, let fields = PackedFields.unpack(bytes.extracting(1...)),
      fields.count >= 13
    else { return nil }
    var reader = FieldReader(fields)
    guard let sku = reader.text().flatMap(SKU.init), let merchant = reader.text().flatMap(MerchantID.init),
      let name = reader.text()
    else { return nil }
    let picture = reader.text()
    guard let price = reader.number(), (0...ProductRevision.Content.maximumUnitPrice).contains(price),
      let currency = reader.text().flatMap(Currency.init)
    else { return nil }
    let limits = (0..<4).map { _ in reader.number().map(Int.init) }
    let dates = (0..<2).map { _ in reader.number().map { Timestamp(milliseconds: $0) } }
    guard let isActive = reader.number(), !reader.hasFailed else { return nil }
    return ProductRevision.Content(
      sku: sku, merchantID: merchant, name: name, picture: picture,
      unitPrice: Money(minorUnits: price, currency: currency), purchaseLimit: limits[0], customerLimit: limits[1],
      minimumQuantity: limits[2], quantityStep: limits[3], availableFrom: dates[0], availableUntil: dates[1],
      isActive: isActive == 1)
  }
}

/// Takes one field after the other; `nil` is an absent one, or one that is not what was asked for.
private struct FieldReader {
  private let fields: [[UInt8]?]
  private var position = 0
  /// A field was there and was not what was asked for.
  private(set) var hasFailed = false

  init(_ fields: [[UInt8]?]) { self.fields = fields }

  mutating func text() -> String? { next { String(validating: $0) } }

  /// A moment before 1970 is negative.
  mutating func number() -> Int64? {
    next { field in
      guard !field.isEmpty, field[0] == UInt8(ascii: "-") else { return Int64(decimal: field) }
      return Int64(decimal: field.extracting(1...)).map { -$0 }
    }
  }

  private mutating func next<Value>(_ read: (Span<UInt8>) -> Value?) -> Value? {
    defer { position += 1 }
    guard let field = fields[position] else { return nil }
    let value = read(field.span)
    if value == nil { hasFailed = true }
    return value
  }
}
