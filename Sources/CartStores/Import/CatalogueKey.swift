/// The keys of a catalogue file, as its users write them.
enum CatalogueKey: String, CaseIterable {
  case sku
  case merchantID = "merchantId"
  case name
  case picture
  case unitPrice
  case currency
  case stock
  case purchaseLimit
  case customerLimit
  case minimumQuantity
  case quantityStep
  case availableFrom
  case availableUntil
  case active = "active"

  /// What a cell of CSV is read as.
  enum Kind {
    case text, integer, boolean
  }

  var kind: Kind {
    switch self {
    case .sku, .merchantID, .name, .picture, .currency, .availableFrom, .availableUntil: .text
    case .unitPrice, .stock, .purchaseLimit, .customerLimit, .minimumQuantity, .quantityStep: .integer
    case .active: .boolean
    }
  }

  /// A new SKU needs it, so null can't clear it.
  var isRequired: Bool {
    switch self {
    case .sku, .name, .unitPrice, .currency: true
    default: false
    }
  }

  /// The bit that says in SQL that the line gives this key.
  var bit: Int64 {
    switch self {
    case .sku: 1 << 0
    case .merchantID: 1 << 1
    case .name: 1 << 2
    case .picture: 1 << 3
    case .unitPrice: 1 << 4
    case .currency: 1 << 5
    case .stock: 1 << 6
    case .purchaseLimit: 1 << 7
    case .customerLimit: 1 << 8
    case .minimumQuantity: 1 << 9
    case .quantityStep: 1 << 10
    case .availableFrom: 1 << 11
    case .availableUntil: 1 << 12
    case .active: 1 << 13
    }
  }
}

/// A value of a catalogue file, whatever its format.
enum CatalogueValue {
  case null
  case text(String)
  case integer(Int)
  case boolean(Bool)
  /// Nothing that any key takes.
  case other
}
