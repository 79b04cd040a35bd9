/// Why a cart can't be changed so, or a line can't be ordered. The raw value is the code of the HTTP API.
package enum ViolationCode: String, Sendable, CaseIterable {
  case unknownSKU = "unknown_sku"
  case notPurchasable = "not_purchasable"
  case outOfStock = "out_of_stock"
  case insufficientStock = "insufficient_stock"
  case purchaseLimit = "purchase_limit"
  case customerLimit = "customer_limit"
  case minimumQuantity = "minimum_quantity"
  case quantityStep = "quantity_step"
  case notOnSaleYet = "not_on_sale_yet"
  case noLongerOnSale = "no_longer_on_sale"
  case currencyMismatch = "currency_mismatch"
  case invalidQuantity = "invalid_quantity"
  case tooManyLines = "too_many_lines"
  case totalTooLarge = "total_too_large"
  case cartEmpty = "cart_empty"

  /// Whether the code is about the product itself rather than about the quantity.
  package var concernsProduct: Bool {
    switch self {
    case .unknownSKU, .notPurchasable, .notOnSaleYet, .noLongerOnSale, .currencyMismatch, .tooManyLines: true
    default: false
    }
  }
}

/// One broken rule.
package struct Violation: Equatable, Sendable {
  package var code: ViolationCode
  package var sku: SKU?
  /// The quantity that the line has, or would have.
  package var requested: Int?
  /// Pieces left, with the stock codes.
  package var available: Int?
  /// The limit, minimum, step or number of lines that was broken.
  package var limit: Int?
  /// The entry of the request that it comes from, if a request has several.
  package var entry: Int?

  package init(
    _ code: ViolationCode, sku: SKU? = nil, requested: Int? = nil, available: Int? = nil, limit: Int? = nil,
    entry: Int? = nil
  ) {
    self.code = code
    self.sku = sku
    self.requested = requested
    self.available = available
    self.limit = limit
    self.entry = entry
  }
}
