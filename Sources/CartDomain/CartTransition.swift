/// What a change makes of a cart.
package enum CartTransition: Equatable, Sendable {
  /// The cart as it is after the change, its version raised by 1.
  case changed(Cart)
  /// Nothing to do; the version stays.
  case unchanged
  /// ``CartChange/edit(_:_:)`` named a SKU that is not in the cart.
  case lineNotFound
  /// Rules were broken, in the order of the request's entries; nothing is changed.
  case refused([Violation])
}

extension Cart {
  /// Makes `change` on a copy. This is the reference: the scripts in Redis do the same, atomically.
  ///
  /// - Parameters:
  ///   - product: the SKU as it is sold now, `nil` if the catalogue has none. Asked for SKUs whose quantity is
  ///     raised or whose price is acknowledged.
  ///   - now: the store's clock.
  package func applying(
    _ change: CartChange, at now: Timestamp, product: (SKU) -> Product?
  ) -> CartTransition {
    switch change {
    case .add(let entries): adding(entries, at: now, product: product)
    case .edit(let sku, let edit): editing(sku, edit, at: now, product: product)
    case .remove(let filter):
      changing { cart in cart.lines.removeAll(where: filter.matches) }
    case .select(let flag, let filter):
      changing { cart in cart.updateLines(filter) { $0.isSelected = flag } }
    case .acknowledgePrices(let filter):
      changing { cart in
        cart.updateLines(filter) { line in
          guard let product = product(line.sku), product.content.unitPrice.currency == currency,
            product.content.unitPrice.minorUnits != line.unitPrice
          else { return }
          line.takeSnapshot(of: product)
        }
      }
    }
  }

  private func adding(_ entries: [LineAddition], at now: Timestamp, product: (SKU) -> Product?) -> CartTransition {
    var next = self
    next.version += 1
    var index: [SKU: Int] = [:]
    for (position, line) in lines.enumerated() { index[line.sku] = position }
    var violations: [Violation] = []
    var lastEntry: [SKU: Int] = [:]
    for (position, entry) in entries.enumerated() { lastEntry[entry.sku] = position }
    var requested: [SKU: Int] = [:]
    for (position, entry) in entries.enumerated() {
      let present = requested[entry.sku] ?? index[entry.sku].map { lines[$0].quantity } ?? 0
      let quantity = present + entry.quantity
      requested[entry.sku] = quantity
      guard let product = product(entry.sku) else {
        violations.append(Violation(.unknownSKU, sku: entry.sku, entry: position))
        continue
      }
      let found = product.violations(quantity: quantity, in: next.currency, at: now)
      // A limit is about the sum, so it is checked at the SKU's last entry.
      if let first = found.first, first.code.concernsProduct || lastEntry[entry.sku] == position {
        violations += found.map { violation in
          var violation = violation
          violation.entry = position
          return violation
        }
        continue
      }
      if next.currency == nil { next.currency = product.content.unitPrice.currency }
      next.put(entry, quantity: quantity, product: product, at: now, index: &index)
    }
    guard violations.isEmpty else { return .refused(violations) }
    if next.lines.count > Self.maximumLines {
      return .refused([Violation(.tooManyLines, limit: Self.maximumLines, entry: 0)])
    }
    let touched = Set(entries.map(\.sku))
    guard next.isTotalAllowed(touched: touched, product: product) else {
      return .refused([Violation(.totalTooLarge, entry: 0)])
    }
    return .changed(next)
  }

  private mutating func put(
    _ entry: LineAddition, quantity: Int, product: Product, at now: Timestamp, index: inout [SKU: Int]
  ) {
    let position: Int
    if let present = index[entry.sku] {
      position = present
    } else {
      position = lines.count
      index[entry.sku] = position
      clock = max(now.milliseconds, clock + 1)
      lines.append(
        LineItem(
          sku: entry.sku, quantity: 0, isSelected: true, born: clock, version: version,
          merchantID: product.content.merchantID, unitPrice: product.content.unitPrice.minorUnits,
          revision: product.revision.id, clientData: nil))
    }
    lines[position].quantity = quantity
    lines[position].isSelected = true
    lines[position].version = version
    lines[position].takeSnapshot(of: product)
    lines[position].edit(entry.clientData)
  }

  private func editing(
    _ sku: SKU, _ edit: LineEdit, at now: Timestamp, product: (SKU) -> Product?
  ) -> CartTransition {
    guard let line = self[sku] else { return .lineNotFound }
    let quantity: Int
    switch edit.quantity {
    case .absolute(let absolute): quantity = absolute
    case .delta(let delta): quantity = line.quantity + delta
    case nil: quantity = line.quantity
    }
    if quantity > line.quantity {
      guard let product = product(sku) else { return .refused([Violation(.unknownSKU, sku: sku)]) }
      let violations = product.violations(quantity: quantity, in: currency, at: now)
      guard violations.isEmpty else { return .refused(violations) }
    }
    let transition = changing { cart in
      if quantity <= 0 {
        cart.lines.removeAll { $0.sku == sku }
      } else {
        cart.updateLines(.skus([sku])) { line in
          line.quantity = quantity
          if let flag = edit.isSelected { line.isSelected = flag }
          line.edit(edit.clientData)
        }
      }
    }
    if quantity > line.quantity, case .changed(let next) = transition,
      !next.isTotalAllowed(touched: [sku], product: product)
    {
      return .refused([Violation(.totalTooLarge, sku: sku, requested: quantity)])
    }
    return transition
  }

  /// Applies `body` to a copy and says whether it changed a line.
  private func changing(_ body: (inout Cart) -> Void) -> CartTransition {
    var next = self
    next.version += 1
    body(&next)
    guard next.lines != lines else { return .unchanged }
    if next.lines.isEmpty { next.currency = nil }
    return .changed(next)
  }

  private mutating func updateLines(_ filter: LineFilter, _ body: (inout LineItem) -> Void) {
    for position in lines.indices where filter.matches(lines[position]) {
      var line = lines[position]
      body(&line)
      guard line != lines[position] else { continue }
      line.version = version
      lines[position] = line
    }
  }

  /// Whether the cart stays within ``Money/maximumTotal``: touched lines at their current price, the others at the
  /// price they carry.
  private func isTotalAllowed(touched: Set<SKU>, product: (SKU) -> Product?) -> Bool {
    var total: Int64 = 0
    for line in lines {
      let price =
        touched.contains(line.sku) ? product(line.sku)?.content.unitPrice.minorUnits ?? line.unitPrice : line.unitPrice
      let (lineTotal, overflow) = price.multipliedReportingOverflow(by: Int64(line.quantity))
      let (sum, sumOverflow) = total.addingReportingOverflow(lineTotal)
      if overflow || sumOverflow || sum > Money.maximumTotal { return false }
      total = sum
    }
    return true
  }
}

extension LineItem {
  fileprivate mutating func takeSnapshot(of product: Product) {
    merchantID = product.content.merchantID
    unitPrice = product.content.unitPrice.minorUnits
    revision = product.revision.id
  }

  fileprivate mutating func edit(_ edit: ClientDataEdit) {
    if case .replace(let data) = edit { clientData = data.isEmpty ? nil : data }
  }
}
