/// A cart joined with the catalogue: what a shopper sees.
package struct CartView: Sendable {
  package let cart: Cart
  /// In the order of the cart's lines.
  package let lines: [LineView]
  /// In the order of their first line.
  package let merchants: [MerchantSummary]
  package let counts: Counts
  package let totals: Totals
  /// What would stop an order of the selected lines now, in the order of the lines.
  package let problems: [Violation]

  package struct Counts: Equatable, Sendable {
    package var lines = 0
    package var quantity = 0
    package var selectedLines = 0
    package var selectedQuantity = 0
  }

  /// Sums in minor units of the cart's currency.
  package struct Totals: Equatable, Sendable {
    package var all: Int64 = 0
    /// Of the lines that are selected and purchasable.
    package var selected: Int64 = 0
  }

  package struct MerchantSummary: Equatable, Sendable {
    package let merchantID: MerchantID
    package fileprivate(set) var lines = 0
    package fileprivate(set) var selectedLines = 0
    /// Of the lines that are selected and purchasable, in minor units.
    package fileprivate(set) var selectedTotal: Int64 = 0

    /// `all`, `some` or `none` of the merchant's lines are selected.
    package var selection: String {
      selectedLines == 0 ? "none" : selectedLines == lines ? "all" : "some"
    }
  }

  /// Joins `cart` with the products as they are sold at `now`.
  ///
  /// - Parameters:
  ///   - products: one for each line, `nil` if the catalogue has none.
  ///   - snapshots: one for each line, `nil` if the revision is not known any more.
  ///   - bought: what the customer's former orders hold of each SKU.
  package init(
    _ cart: Cart, products: [Product?], snapshots: [ProductRevision?], at now: Timestamp, bought: [SKU: Int] = [:]
  ) {
    self.cart = cart
    var lines: [LineView] = []
    lines.reserveCapacity(cart.lines.count)
    var merchants: [MerchantSummary] = []
    var positions: [MerchantID: Int] = [:]
    var counts = Counts()
    var totals = Totals()
    var problems: [Violation] = []
    for (index, line) in cart.lines.enumerated() {
      let view = LineView(
        line: line, snapshot: snapshots[index], current: products[index], currency: cart.currency, at: now)
      let position: Int
      if let last = merchants.last, last.merchantID == line.merchantID {
        position = merchants.count - 1
      } else if let known = positions[line.merchantID] {
        position = known
      } else {
        position = merchants.count
        merchants.append(MerchantSummary(merchantID: line.merchantID))
        positions[line.merchantID] = position
      }
      counts.lines += 1
      counts.quantity += line.quantity
      merchants[position].lines += 1
      totals.all = totals.all.addingReportingOverflow(view.lineTotal).partialValue
      if line.isSelected {
        counts.selectedLines += 1
        counts.selectedQuantity += line.quantity
        merchants[position].selectedLines += 1
        if view.isPurchasable {
          totals.selected = totals.selected.addingReportingOverflow(view.lineTotal).partialValue
          merchants[position].selectedTotal =
            merchants[position].selectedTotal.addingReportingOverflow(view.lineTotal).partialValue
        }
        problems += view.problems(in: cart.currency, at: now, bought: bought.isEmpty ? 0 : bought[line.sku] ?? 0)
      }
      lines.append(view)
    }
    self.lines = lines
    self.merchants = merchants
    self.counts = counts
    self.totals = totals
    self.problems = problems
  }
}

/// One line as a shopper sees it.
package struct LineView: Sendable {
  package let line: LineItem
  /// What the shopper saw; `nil` if the revision is not known any more, the line's own price still is.
  package let snapshot: ProductRevision?
  /// The product as it is sold now; `nil` for a SKU that the catalogue no longer has.
  package let current: Product?
  /// Whether it is sold now, in the cart's currency, stock aside.
  package let isPurchasable: Bool
  /// Quantity × the current price, or × the snapshot's if there is no current one in the cart's currency.
  package let lineTotal: Int64

  fileprivate init(
    line: LineItem, snapshot: ProductRevision?, current: Product?, currency: Currency?, at now: Timestamp
  ) {
    self.line = line
    self.snapshot = snapshot
    self.current = current
    var price = line.unitPrice
    var purchasable = false
    if let current, current.content.unitPrice.currency == currency {
      price = current.content.unitPrice.minorUnits
      purchasable = current.isPurchasable(at: now)
    }
    self.isPurchasable = purchasable
    // At most 10⁶ × 10⁹: far below Int64.
    self.lineTotal = price.multipliedReportingOverflow(by: Int64(line.quantity)).partialValue
    self.comparablePrice = price
  }

  private let comparablePrice: Int64

  /// The current price if it differs from the snapshot's.
  package var changedPrice: (from: Int64, to: Int64)? {
    comparablePrice == line.unitPrice ? nil : (line.unitPrice, comparablePrice)
  }

  fileprivate func problems(in currency: Currency?, at now: Timestamp, bought: Int) -> [Violation] {
    guard let current else { return [Violation(.unknownSKU, sku: line.sku)] }
    return current.violations(quantity: line.quantity, in: currency, at: now, bought: bought)
  }
}
