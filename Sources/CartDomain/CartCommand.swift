/// What PostgreSQL commands a cart to do, because it has decided something that the cart must follow. Commands of a
/// cart are numbered; each takes effect once, in order, on the cart as it is then.
package enum CartCommand: Equatable, Sendable {
  /// The quantities that an order has taken leave the cart.
  case take([TakenLine])
  /// A guest's lines come into a user's cart.
  case merge(CartMerge)

  /// How the record of changes names it.
  package var action: String {
    switch self {
    case .take: "order"
    case .merge: "merge"
    }
  }
}

extension CartCommand {
  /// The lines that it names, each once, in their order.
  package var skus: [SKU] {
    let named =
      switch self {
      case .take(let lines): lines.map(\.sku)
      case .merge(let merge): merge.lines.map(\.line.sku)
      }
    var met: Set<SKU> = []
    return named.filter { met.insert($0).inserted }
  }
}

/// What an order has taken of one line.
package struct TakenLine: Equatable, Sendable {
  package var sku: SKU
  package var quantity: Int
  /// Of the line that was ordered: one that was removed and added anew meanwhile is another, and stays.
  package var born: Int64

  package init(sku: SKU, quantity: Int, born: Int64) {
    self.sku = sku
    self.quantity = quantity
    self.born = born
  }
}

/// A line as a change leaves it; `after` is `nil` if it goes.
package struct LineOutcome: Equatable, Sendable {
  package var sku: SKU
  package var before: LineItem?
  package var after: LineItem?

  package init(sku: SKU, before: LineItem?, after: LineItem?) {
    self.sku = sku
    self.before = before
    self.after = after
  }
}

/// Makes one JSON object of two: of a user's line and of a guest's.
package typealias ClientDataUnion = (_ user: [UInt8], _ guest: [UInt8]) -> [UInt8]

extension Cart {
  /// What `command` makes of the lines that it touches; the version of each is that of the cart after it.
  ///
  /// - Parameter unite: makes one of the client's own keys of a user's and of a guest's line.
  package func outcomes(of command: CartCommand, uniting unite: ClientDataUnion) -> [LineOutcome] {
    switch command {
    case .take(let taken):
      taken.compactMap { taken in
        guard let line = self[taken.sku], line.born == taken.born else { return nil }
        var rest = line
        rest.quantity -= taken.quantity
        rest.version = version + 1
        return LineOutcome(sku: taken.sku, before: line, after: rest.quantity > 0 ? rest : nil)
      }
    case .merge(let merge): resolved(merge, unite).outcomes
    }
  }

  /// The cart after `command`; its version stays if no line is touched.
  package func applying(_ command: CartCommand, uniting unite: ClientDataUnion) -> Cart {
    let outcomes = outcomes(of: command, uniting: unite)
    if outcomes.isEmpty { return self }
    var cart = self
    cart.version += 1
    var positions: [SKU: Int] = [:]
    for (position, line) in lines.enumerated() { positions[line.sku] = position }
    for outcome in outcomes {
      if let position = positions[outcome.sku] {
        // Taken out below, so that the positions stay.
        cart.lines[position].quantity = 0
        if let after = outcome.after { cart.lines[position] = after }
      } else if let after = outcome.after {
        cart.lines.append(after)
        cart.clock = max(cart.clock, after.born)
      }
    }
    cart.lines.removeAll { $0.quantity == 0 }
    cart.lines.sort { ($0.born, $0.sku) < ($1.born, $1.sku) }
    if case .merge(let merge) = command, currency == nil { cart.currency = merge.currency }
    if cart.lines.isEmpty { cart.currency = nil }
    return cart
  }
}
