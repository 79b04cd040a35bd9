/// A change that a shopper asks for. A store carries it out as a whole or not at all.
package enum CartChange: Equatable, Sendable {
  /// Adds to what is there; the same SKU twice adds up. 1 to 100 entries.
  case add([LineAddition])
  /// Changes one line.
  case edit(SKU, LineEdit)
  case remove(LineFilter)
  case select(Bool, LineFilter)
  /// The snapshots of the filtered lines take the current price.
  case acknowledgePrices(LineFilter)
}

/// One entry of ``CartChange/add(_:)``.
package struct LineAddition: Equatable, Sendable {
  package var sku: SKU
  /// 1 to ``LineItem/maximumQuantity``.
  package var quantity: Int
  package var clientData: ClientDataEdit

  package init(sku: SKU, quantity: Int, clientData: ClientDataEdit = .keep) {
    self.sku = sku
    self.quantity = quantity
    self.clientData = clientData
  }
}

/// What becomes of the client's own keys.
package enum ClientDataEdit: Equatable, Sendable {
  case keep
  /// One compact JSON object; an empty array clears.
  case replace([UInt8])
}

/// The fields of a line that a shopper may change; at least one is given.
package struct LineEdit: Equatable, Sendable {
  package enum Quantity: Equatable, Sendable {
    /// 0 to ``LineItem/maximumQuantity``; 0 removes.
    case absolute(Int)
    /// −1,000,000 to 1,000,000; a result of 0 or less removes.
    case delta(Int)
  }

  package var quantity: Quantity?
  package var isSelected: Bool?
  package var clientData: ClientDataEdit

  package init(quantity: Quantity? = nil, isSelected: Bool? = nil, clientData: ClientDataEdit = .keep) {
    self.quantity = quantity
    self.isSelected = isSelected
    self.clientData = clientData
  }
}

/// Which lines a change is about. What is not in the cart is skipped.
package enum LineFilter: Equatable, Sendable {
  case all
  case selected
  case merchant(MerchantID)
  case skus([SKU])

  package func matches(_ line: LineItem) -> Bool {
    switch self {
    case .all: true
    case .selected: line.isSelected
    case .merchant(let merchant): line.merchantID == merchant
    case .skus(let skus): skus.contains(line.sku)
    }
  }
}
