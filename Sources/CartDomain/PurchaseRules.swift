/// The rules of one SKU, reduced to what a store must know to decide atomically: the quantities that a line may have.
///
/// ``permits(_:)`` is true exactly if ``Product/violations(quantity:in:at:)`` is empty.
package struct Allowance: Equatable, Sendable {
  /// False if the product can't be bought at all: unknown, retired, out of its sale window, of another currency.
  package var isPurchasable: Bool
  package var maximum: Int
  package var minimum: Int
  package var step: Int

  package static let nothing = Allowance(isPurchasable: false, maximum: 0, minimum: 1, step: 1)

  package func permits(_ quantity: Int) -> Bool {
    isPurchasable && quantity <= maximum && quantity >= minimum && quantity % step == 0
  }
}

extension ProductRevision.Content {
  /// Why it isn't sold at `now`, stock aside; `nil` if it is.
  package func saleRefusal(at now: Timestamp) -> ViolationCode? {
    if !isActive { return .notPurchasable }
    if let availableFrom, now < availableFrom { return .notOnSaleYet }
    if let availableUntil, now >= availableUntil { return .noLongerOnSale }
    return nil
  }
}

extension Product {
  /// What a line of this product may hold at `now`, limits and stock taken together.
  package func allowance(at now: Timestamp) -> Allowance {
    var maximum = LineItem.maximumQuantity
    if let stock { maximum = min(maximum, stock) }
    if let limit = content.purchaseLimit { maximum = min(maximum, limit) }
    if let limit = content.customerLimit { maximum = min(maximum, limit) }
    return Allowance(
      isPurchasable: isPurchasable(at: now), maximum: maximum, minimum: content.minimumQuantity ?? 1,
      step: max(1, content.quantityStep ?? 1))
  }

  /// Every rule that `quantity` pieces in a cart of `currency` break at `now`; one alone if the product can't be
  /// bought at all, since the others then say nothing.
  ///
  /// - Parameter bought: how much of it the customer's former orders hold; 0 if they are not asked.
  package func violations(
    quantity: Int, in currency: Currency?, at now: Timestamp, bought: Int = 0
  ) -> [Violation] {
    let sku = content.sku
    if let refusal = content.saleRefusal(at: now) { return [Violation(refusal, sku: sku)] }
    if let currency, currency != content.unitPrice.currency { return [Violation(.currencyMismatch, sku: sku)] }
    if bought == 0, allowance(at: now).permits(quantity) { return [] }
    var found: [Violation] = []
    func add(_ code: ViolationCode, available: Int? = nil, limit: Int? = nil) {
      found.append(Violation(code, sku: sku, requested: quantity, available: available, limit: limit))
    }
    if quantity > LineItem.maximumQuantity { add(.invalidQuantity, limit: LineItem.maximumQuantity) }
    if let stock, quantity > stock { add(stock == 0 ? .outOfStock : .insufficientStock, available: stock) }
    if let limit = content.purchaseLimit, quantity > limit { add(.purchaseLimit, limit: limit) }
    if let limit = content.customerLimit, quantity > limit - bought { add(.customerLimit, limit: limit) }
    if let minimum = content.minimumQuantity, quantity < minimum { add(.minimumQuantity, limit: minimum) }
    if let step = content.quantityStep, step > 1, quantity % step != 0 { add(.quantityStep, limit: step) }
    return found
  }
}
