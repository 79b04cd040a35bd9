package import CartDomain

/// Looks after the stock for those who died before they were done: applies the changes that imports have left, and makes
/// known in Redis what has moved.
package final class StockKeeper {
  private let source: PostgresCatalogue
  private let catalogue: RedisCatalogue
  /// How far the present round has come, and when it began; `nil` between two rounds.
  private var round: (began: Int64, moved: Int64, sku: SKU?)?
  /// When the last round began that was ended.
  private var lastBegan: Int64?

  package init(_ source: PostgresCatalogue, catalogue: RedisCatalogue) {
    self.source = source
    self.catalogue = catalogue
  }

  /// So many rows go into one step.
  private static let batch = 300
  /// Longer than the transaction of an order takes, in milliseconds.
  private static let overlap: Int64 = 3_000
  /// What the first round looks back.
  private static let longestAbsence: Int64 = 3_600_000

  /// Does one short step.
  ///
  /// - Returns: whether there was nothing more to do.
  /// - Throws: ``StoreError``; what was not done is done by a later step.
  package func step() throws(StoreError) -> Bool {
    let applied = try source.applyStockChanges(limit: Self.batch)
    _ = try catalogue.publishStock(applied.moved)
    try publish()
    // What is held by others is not worth another step at once.
    return round == nil && (applied.moved.isEmpty || !applied.hasMore)
  }

  /// The next page of what has moved. A round ends with what moved before it began, however much moves meanwhile.
  private func publish() throws(StoreError) {
    var present: (began: Int64, moved: Int64, sku: SKU?)
    if let round {
      present = round
    } else {
      let now = try source.clock()
      present = (now, lastBegan.map { $0 - Self.overlap } ?? now - Self.longestAbsence, nil)
    }
    let page = try source.movedStock(after: present.moved, present.sku, limit: Self.batch)
    _ = try catalogue.publishStock(page)
    if let last = page.last, page.count == Self.batch, last.moved < present.began {
      (present.moved, present.sku) = (last.moved, last.sku)
      round = present
    } else {
      lastBegan = present.began
      round = nil
    }
  }
}

@available(*, unavailable)
extension StockKeeper: Sendable {}
