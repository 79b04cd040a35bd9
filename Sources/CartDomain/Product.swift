/// The name of an immutable ``ProductRevision``: a hash of its content, the same wherever it is computed.
package struct RevisionID: Identifier {
  package let text: String

  /// `nil` if `text` is not 8 to 32 characters of base64url.
  package init?(_ text: String) {
    guard Base64URL.isText(text, of: Self.lengths) else { return nil }
    self.text = text
  }

  /// Like ``init(_:)``.
  package init?(utf8 bytes: Span<UInt8>) {
    guard Base64URL.isText(bytes, of: Self.lengths) else { return nil }
    text = String(ascii: bytes)
  }

  private static let lengths = 8...32
}

/// What the catalogue says of a SKU, stock aside, at one time. It never changes: another price is another revision.
///
/// Carts point at the revision that the shopper saw, and the catalogue at the one that is sold now.
package final class ProductRevision: Sendable {
  package let id: RevisionID
  package let content: Content

  package init(id: RevisionID, content: Content) {
    self.id = id
    self.content = content
  }

  /// The fields that make the revision.
  package struct Content: Equatable, Sendable {
    package static let maximumUnitPrice: Int64 = 1_000_000_000

    package var sku: SKU
    package var merchantID: MerchantID
    package var name: String
    package var picture: String?
    /// 0 to ``maximumUnitPrice`` minor units.
    package var unitPrice: Money
    /// Most per order.
    package var purchaseLimit: Int?
    /// Most over all of a user's orders, except cancelled ones.
    package var customerLimit: Int?
    package var minimumQuantity: Int?
    /// A quantity must be a multiple of it.
    package var quantityStep: Int?
    package var availableFrom: Timestamp?
    /// The first moment at which it is no longer sold.
    package var availableUntil: Timestamp?
    /// False once the product is retired.
    package var isActive: Bool

    package init(
      sku: SKU, merchantID: MerchantID = .main, name: String, picture: String? = nil, unitPrice: Money,
      purchaseLimit: Int? = nil, customerLimit: Int? = nil, minimumQuantity: Int? = nil, quantityStep: Int? = nil,
      availableFrom: Timestamp? = nil, availableUntil: Timestamp? = nil, isActive: Bool = true
    ) {
      self.sku = sku
      self.merchantID = merchantID
      self.name = name
      self.picture = picture
      self.unitPrice = unitPrice
      self.purchaseLimit = purchaseLimit
      self.customerLimit = customerLimit
      self.minimumQuantity = minimumQuantity
      self.quantityStep = quantityStep
      self.availableFrom = availableFrom
      self.availableUntil = availableUntil
      self.isActive = isActive
    }
  }
}

/// A SKU as it is sold now.
package struct Product: Sendable {
  package let revision: ProductRevision
  /// Pieces left; `nil` if stock is not counted.
  package let stock: Int?
  /// Grows with each change of what is sold; 0 if it is not counted.
  package let catalogueVersion: Int64
  /// Grows with each movement of the stock; 0 if it is not counted.
  package let moved: Int64

  package init(revision: ProductRevision, stock: Int?, catalogueVersion: Int64 = 0, moved: Int64 = 0) {
    self.revision = revision
    self.stock = stock
    self.catalogueVersion = catalogueVersion
    self.moved = moved
  }

  package var content: ProductRevision.Content { revision.content }

  /// Active and within its sale window, stock aside.
  package func isPurchasable(at now: Timestamp) -> Bool { content.saleRefusal(at: now) == nil }
}
