internal import CartDomain

/// What one line of a catalogue file says of a SKU.
struct ProductPatch {
  /// The line that it comes from.
  var line: Int
  var sku: SKU
  var fields: ProductFields
}

/// What is to become of a product. A key that is not given leaves what is there; one that is given without a value
/// clears.
struct ProductFields {
  /// The ``CatalogueKey/bit``s of the keys that the line gives.
  private(set) var given: Int64 = 0

  private(set) var merchantID: MerchantID?
  private(set) var name: String?
  private(set) var picture: String?
  private(set) var unitPrice: Int?
  private(set) var currency: Currency?
  private(set) var stock: Int?
  private(set) var purchaseLimit: Int?
  private(set) var customerLimit: Int?
  private(set) var minimumQuantity: Int?
  private(set) var quantityStep: Int?
  private(set) var availableFrom: Timestamp?
  private(set) var availableUntil: Timestamp?
  private(set) var isActive: Bool?

  static let maximumNameBytes = 200
  static let maximumPictureBytes = 500
  static let maximumStock = 1_000_000_000

  /// No key given.
  init() {}

  /// Takes over one key.
  ///
  /// - Returns: why the value won't do; `nil` where it does.
  mutating func set(_ key: CatalogueKey, _ value: CatalogueValue) -> String? {
    given |= key.bit
    if case .null = value, key != .sku { return key.isRequired ? "can't be null" : nil }
    switch key {
    // Not a field of the product but its name: ``ProductPatch/read(line:_:faults:)`` looks at it.
    case .sku: return nil
    case .merchantID:
      merchantID = Self.text(value).flatMap { MerchantID($0) }
      return merchantID == nil ? "not 1 to 64 bytes of printable text" : nil
    case .name:
      name = Self.text(value).flatMap(Self.name)
      return name == nil ? "not 1 to \(Self.maximumNameBytes) bytes of printable text" : nil
    case .picture:
      picture = Self.text(value).flatMap { Self.printable($0, maximumBytes: Self.maximumPictureBytes) }
      return picture == nil ? "not 1 to \(Self.maximumPictureBytes) bytes of printable text" : nil
    case .currency:
      currency = Self.text(value).flatMap { Currency($0) }
      return currency == nil ? "not a currency of ISO 4217, such as GBP" : nil
    case .unitPrice: return Self.integer(value, 0...Int(ProductRevision.Content.maximumUnitPrice), &unitPrice)
    case .stock: return Self.integer(value, 0...Self.maximumStock, &stock)
    case .purchaseLimit: return Self.integer(value, 1...Self.maximumStock, &purchaseLimit)
    case .customerLimit: return Self.integer(value, 1...Self.maximumStock, &customerLimit)
    case .minimumQuantity: return Self.integer(value, 1...Self.maximumStock, &minimumQuantity)
    case .quantityStep: return Self.integer(value, 1...Self.maximumStock, &quantityStep)
    case .availableFrom: return Self.time(value, &availableFrom)
    case .availableUntil: return Self.time(value, &availableUntil)
    case .active:
      guard case .boolean(let flag) = value else { return "not true or false" }
      isActive = flag
      return nil
    }
  }

  /// `text` where it can name a product.
  static func name(_ text: String) -> String? { printable(text, maximumBytes: maximumNameBytes) }

  private static func printable(_ text: String, maximumBytes: Int) -> String? {
    (1...maximumBytes).contains(text.utf8.count) && Printable.isPrintable(text) ? text : nil
  }

  private static func text(_ value: CatalogueValue) -> String? {
    if case .text(let text) = value { text } else { nil }
  }

  private static func integer(_ value: CatalogueValue, _ range: ClosedRange<Int>, _ field: inout Int?) -> String? {
    guard case .integer(let integer) = value, range.contains(integer) else {
      return "not an integer from \(range.lowerBound) to \(range.upperBound)"
    }
    field = integer
    return nil
  }

  private static func time(_ value: CatalogueValue, _ field: inout Timestamp?) -> String? {
    field = text(value).flatMap { Timestamp(rfc3339: $0) }
    return field == nil ? "not a date-time of RFC 3339, such as 2026-11-22T10:00:00Z" : nil
  }
}

extension ProductPatch {
  /// Makes a patch of a line's keys and values, or the problem that names all that is wrong with them.
  static func read(
    line: Int, _ values: [(key: CatalogueKey, value: CatalogueValue)], faults: [String]
  ) -> ImportRecord {
    var faults = faults
    var sku: SKU?
    var fields = ProductFields()
    for (key, value) in values {
      if key == .sku, case .text(let text) = value { sku = SKU(text) }
      if let fault = fields.set(key, value) { faults.append("\(key.rawValue): \(fault)") }
    }
    if fields.given & CatalogueKey.sku.bit == 0 {
      faults.append("sku: missing")
    } else if sku == nil {
      faults.append("sku: not 1 to 64 bytes of printable text, or with a part . or .. between slashes")
    }
    guard faults.isEmpty, let sku else {
      return .problem(ImportProblem(line: line, reason: faults.joined(separator: "; ")))
    }
    return .patch(ProductPatch(line: line, sku: sku, fields: fields))
  }
}
