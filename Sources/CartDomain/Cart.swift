/// One SKU in a cart.
package struct LineItem: Equatable, Sendable {
  package static let maximumQuantity = 1_000_000

  package var sku: SKU
  /// 1 to ``maximumQuantity``.
  package var quantity: Int
  package var isSelected: Bool
  /// The cart's own clock at the line's first add, in milliseconds: one step for each new line. It orders the lines,
  /// tells one add of a SKU from a later one, and its second is the line's `addedAt`.
  package var born: Int64
  /// The cart's version that last touched the line.
  package var version: Int64
  package var merchantID: MerchantID
  /// The price that the shopper saw, in minor units of the cart's currency.
  package var unitPrice: Int64
  /// The revision that the shopper saw: the rest of the snapshot.
  package var revision: RevisionID
  /// The client's own keys as one compact JSON object; `nil` if there are none.
  package var clientData: [UInt8]?

  package init(
    sku: SKU, quantity: Int, isSelected: Bool, born: Int64, version: Int64, merchantID: MerchantID, unitPrice: Int64,
    revision: RevisionID, clientData: [UInt8]?
  ) {
    self.sku = sku
    self.quantity = quantity
    self.isSelected = isSelected
    self.born = born
    self.version = version
    self.merchantID = merchantID
    self.unitPrice = unitPrice
    self.revision = revision
    self.clientData = clientData
  }

  package var addedAt: Timestamp { Timestamp(milliseconds: born) }
}

/// A shopper's cart as a store keeps it: no names, no current prices. ``CartView`` adds those.
package struct Cart: Equatable, Sendable {
  package static let maximumLines = 2_000
  /// A guest's cart lives so long after its last use.
  package static let guestLifetimeMilliseconds: Int64 = 30 * 86_400_000
  /// A guest's cookie is renewed at most so often.
  package static let renewalIntervalMilliseconds: Int64 = 86_400_000

  package var owner: CartOwner?
  /// 0 for a cart never written; every change raises it by 1.
  package var version: Int64
  /// `nil` while the cart is empty.
  package var currency: Currency?
  /// In the order of their first add.
  package var lines: [LineItem]
  /// The cart's clock: the greatest ``LineItem/born`` ever given, in milliseconds.
  package var clock: Int64
  /// When a guest's cart ends, as of the last renewal; `nil` for users and for a cart never written.
  package var expiresAt: Timestamp?

  /// A cart never written.
  package init(owner: CartOwner?) {
    self.owner = owner
    self.version = 0
    self.currency = nil
    self.lines = []
    self.clock = 0
    self.expiresAt = nil
  }

  package subscript(sku: SKU) -> LineItem? { lines.first { $0.sku == sku } }
}
