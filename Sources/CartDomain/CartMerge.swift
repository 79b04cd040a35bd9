/// How a line that is in both carts is merged.
package enum MergeStrategy: String, Sendable, CaseIterable {
  /// The quantities add up.
  case sum
  /// The guest's quantity is taken.
  case overwrite
  /// The user's quantity is kept.
  case keep
  /// The larger quantity is taken.
  case max
}

/// A guest's cart on its way into a user's, with all that is needed to carry it out at any later time.
package struct CartMerge: Equatable, Sendable {
  /// One line of the guest's cart.
  package struct Line: Equatable, Sendable {
    package var line: LineItem
    /// The largest quantity that limits and stock let the user have at the time of the merge; `nil` if it is not for
    /// sale, or not in this cart's currency: then it comes as it is, and no more of it is had.
    package var maximum: Int?

    package init(line: LineItem, maximum: Int?) {
      self.line = line
      self.maximum = maximum
    }

    /// - Parameters:
    ///   - currency: of the guest's cart.
    ///   - product: as it is sold at `now`; `nil` if the catalogue has none.
    fileprivate init(_ line: LineItem, in currency: Currency?, as product: Product?, at now: Timestamp) {
      self.line = line
      guard let product, product.content.unitPrice.currency == currency else { return }
      let allowance = product.allowance(at: now)
      if allowance.isPurchasable { maximum = allowance.maximum }
    }
  }

  package enum Outcome: String, Sendable {
    case added, summed, overwritten, kept
    /// Limits or stock leave less than the strategy would give.
    case capped
    /// The cart is full, or holds another currency.
    case dropped
  }

  /// What became of one of the guest's lines.
  package struct Report: Equatable, Sendable {
    package var sku: SKU
    package var outcome: Outcome
    /// What the user's cart holds of it now.
    package var quantity: Int

    package init(sku: SKU, outcome: Outcome, quantity: Int) {
      self.sku = sku
      self.outcome = outcome
      self.quantity = quantity
    }
  }

  package var guest: GuestCartID
  package var strategy: MergeStrategy
  /// `nil` for an empty cart.
  package var currency: Currency?
  /// In the order of the guest's cart.
  package var lines: [Line]
  /// The retry keys that come before the user's own, as ``ring(of:_:)`` makes them.
  package var ring: [RetryKey]

  /// What a user's cart remembers before its own retry keys: the key of the request that asks for the merge, and the
  /// newest of the guest's. They take half of the room at most, so that a login does not make the user's other devices
  /// do twice what they ask for again.
  package static func ring(of key: RetryKey?, _ guests: [RetryKey]) -> [RetryKey] {
    (key.map { [$0] } ?? []) + guests.prefix(RetryKey.remembered / 2)
  }

  package init(
    guest: GuestCartID, strategy: MergeStrategy, currency: Currency?, lines: [Line], ring: [RetryKey] = []
  ) {
    self.guest = guest
    self.strategy = strategy
    self.currency = currency
    self.lines = lines
    self.ring = ring
  }

  /// Of all that a guest's cart holds.
  ///
  /// - Parameters:
  ///   - products: one for each of its lines, as they are sold at `now`; `nil` for one that the catalogue has not.
  ///   - key: of the request that asks for the merge.
  ///   - guests: the keys that the guest's cart remembers.
  package init(
    of guest: GuestCartID, _ cart: Cart, products: [Product?], by strategy: MergeStrategy, at now: Timestamp,
    key: RetryKey?, _ guests: [RetryKey]
  ) {
    self.init(
      guest: guest, strategy: strategy, currency: cart.currency,
      lines: zip(cart.lines, products).map { line, product in Line(line, in: cart.currency, as: product, at: now) },
      ring: Self.ring(of: key, guests))
  }
}

extension Cart {
  /// What a merge makes of each of the guest's lines.
  package func report(of merge: CartMerge) -> [CartMerge.Report] { resolved(merge) { _, guest in guest }.reports }

  /// What a merge makes of the lines that it touches, and of each of the guest's.
  func resolved(
    _ merge: CartMerge, _ unite: ClientDataUnion
  ) -> (outcomes: [LineOutcome], reports: [CartMerge.Report]) {
    var outcomes: [LineOutcome] = []
    var reports: [CartMerge.Report] = []
    var present: [SKU: LineItem] = [:]
    for line in lines { present[line.sku] = line }
    var room = Cart.maximumLines - lines.count
    for entry in merge.lines {
      let own = present[entry.line.sku]
      let isForeign = currency != nil && currency != merge.currency
      if isForeign || own == nil && room <= 0 {
        reports.append(CartMerge.Report(sku: entry.line.sku, outcome: .dropped, quantity: own?.quantity ?? 0))
        continue
      }
      let (line, outcome) = own.map { united($0, entry, by: merge.strategy, unite) } ?? added(entry)
      if own == nil { room -= 1 }
      reports.append(CartMerge.Report(sku: line.sku, outcome: outcome, quantity: line.quantity))
      if line == own { continue }
      var after = line
      after.version = version + 1
      outcomes.append(LineOutcome(sku: line.sku, before: own, after: after))
    }
    return (outcomes, reports)
  }

  /// A line that only the guest has. If nothing of it is left it comes all the same, for the shopper to see.
  private func added(_ entry: CartMerge.Line) -> (LineItem, CartMerge.Outcome) {
    var line = entry.line
    guard let maximum = entry.maximum else { return (line, .added) }
    if maximum == 0 {
      line.isSelected = false
      return (line, .added)
    }
    line.quantity = min(line.quantity, maximum)
    return (line, line.quantity < entry.line.quantity ? .capped : .added)
  }

  private func united(
    _ own: LineItem, _ entry: CartMerge.Line, by strategy: MergeStrategy, _ unite: ClientDataUnion
  ) -> (LineItem, CartMerge.Outcome) {
    let guest = entry.line
    var wanted: Int
    var outcome: CartMerge.Outcome
    switch strategy {
    case .sum: (wanted, outcome) = (own.quantity + guest.quantity, .summed)
    case .overwrite: (wanted, outcome) = (guest.quantity, .overwritten)
    case .keep: (wanted, outcome) = (own.quantity, .kept)
    case .max:
      (wanted, outcome) = guest.quantity > own.quantity ? (guest.quantity, .overwritten) : (own.quantity, .kept)
    }
    let allowed = Swift.max(own.quantity, entry.maximum ?? 0)
    if wanted > allowed { (wanted, outcome) = (allowed, .capped) }
    var line = own
    line.quantity = wanted
    line.isSelected = guest.isSelected
    if strategy != .keep, outcome != .kept {
      line.merchantID = guest.merchantID
      line.unitPrice = guest.unitPrice
      line.revision = guest.revision
    }
    if let data = guest.clientData { line.clientData = own.clientData.map { unite($0, data) } ?? data }
    return (line, outcome)
  }
}
