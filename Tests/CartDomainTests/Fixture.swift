import CartDomain
import Testing

/// A SKU that is known to be one.
func sku(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> SKU {
  try #require(SKU(text), sourceLocation: sourceLocation)
}

func currency(_ code: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Currency {
  try #require(Currency(code), sourceLocation: sourceLocation)
}

/// A product of the SKU at a price in pence, with whatever else `change` says.
func product(
  _ text: String, price: Int64 = 100, stock: Int? = nil, revision: String = "revision",
  _ change: (inout ProductRevision.Content) throws -> Void = { _ in }
) throws -> Product {
  var content = ProductRevision.Content(
    sku: try sku(text), name: "Name of \(text)", unitPrice: Money(minorUnits: price, currency: try currency("GBP")))
  try change(&content)
  return Product(revision: ProductRevision(id: try #require(RevisionID(revision)), content: content), stock: stock)
}

/// 2026-11-22T10:00:00Z.
let opening = Timestamp(seconds: 1_795_341_600)

extension CartTransition {
  /// The cart after a change that took place.
  func changed(sourceLocation: SourceLocation = #_sourceLocation) throws -> Cart {
    guard case .changed(let cart) = self else {
      Issue.record("not changed: \(self)", sourceLocation: sourceLocation)
      throw Unexpected()
    }
    return cart
  }

  var violations: [Violation] { if case .refused(let violations) = self { violations } else { [] } }

  struct Unexpected: Error {}
}
