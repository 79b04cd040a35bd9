package import CartDomain
package import CartJSON

extension JSONWriter {
  /// The whole cart as the API shows it.
  ///
  /// - Parameters:
  ///   - lowStock: a counted stock up to this one is `low`.
  ///   - merge: what became of a guest's cart on the way.
  ///   - more: writes members that follow those of the API.
  package mutating func cart(
    _ view: CartView, lowStock: Int, merge: MergeReading? = nil, more: (inout JSONWriter) -> Void = { _ in }
  ) {
    let cart = view.cart
    object {
      $0.field("version", cart.version)
      $0.field("owner", cart.owner?.kind ?? "guest")
      $0.field("currency", cart.currency?.code)
      $0.field("minorUnit", cart.currency?.minorUnit)
      // An empty cart has nothing that could be lost.
      $0.field("expiresAt", view.lines.isEmpty ? nil : cart.expiresAt)
      $0.array("lines") {
        for index in view.lines.indices { $0.line(view.lines[index], currency: cart.currency, lowStock: lowStock) }
      }
      $0.array("merchants") {
        for merchant in view.merchants { $0.merchant(merchant) }
      }
      $0.counts(view.counts)
      $0.totals(view.totals)
      $0.problems(view.problems)
      if let merge { $0.merge(merge) }
      more(&$0)
    }
  }

  /// The three keys of `?view=summary`.
  mutating func summary(_ view: CartView) {
    object {
      $0.field("version", view.cart.version)
      $0.counts(view.counts)
      $0.totals(view.totals)
    }
  }

  /// The member `problems`: what stops an order.
  mutating func problems(_ violations: [Violation]) {
    array("problems") {
      for violation in violations {
        $0.object {
          $0.field("code", violation.code.rawValue)
          if let sku = violation.sku { $0.field("sku", sku.text) }
          $0.quantities(requested: violation.requested, available: violation.available, limit: violation.limit)
        }
      }
    }
  }

  /// A member that is a time, or null.
  package mutating func field(_ name: StaticString, _ time: Timestamp?) {
    key(name)
    guard let time else { return null() }
    let text = time.rfc3339Bytes
    plainString(text.span)
  }

  /// The member `merge`, if there was one.
  private mutating func merge(_ reading: MergeReading) {
    switch reading {
    case .nothing: return
    case .pending: object("merge") { $0.field("pending", true) }
    case .merged(let strategy, let lines):
      object("merge") {
        $0.field("strategy", strategy.rawValue)
        $0.array("lines") {
          for line in lines {
            $0.object {
              $0.field("sku", line.sku.text)
              $0.field("outcome", line.outcome.rawValue)
              $0.field("quantity", line.quantity)
            }
          }
        }
      }
    }
  }

  private mutating func line(_ view: LineView, currency: Currency?, lowStock: Int) {
    let line = view.line
    object {
      $0.field("sku", line.sku.text)
      $0.field("merchantId", line.merchantID.text)
      $0.field("quantity", line.quantity)
      $0.field("selected", line.isSelected)
      $0.field("addedAt", line.addedAt)
      $0.snapshot(view)
      $0.current(view, currency: currency)
      $0.priceChange(view)
      $0.object("extraData") { $0.extraData(view, lowStock: lowStock) }
      $0.field("lineTotal", view.lineTotal)
    }
  }

  private mutating func snapshot(_ view: LineView) {
    // A revision that is not known any more leaves the price, which the line carries itself.
    let revision = view.snapshot ?? view.current?.revision
    object("snapshot") {
      $0.field("name", revision?.content.name ?? view.line.sku.text)
      $0.field("picture", revision?.content.picture)
      $0.field("unitPrice", view.line.unitPrice)
    }
  }

  /// Null also if the product is now sold in another currency: it has no current price in this cart's.
  private mutating func current(_ view: LineView, currency: Currency?) {
    key("current")
    guard let current = view.current, current.revision.content.unitPrice.currency == currency else { return null() }
    object {
      $0.field("unitPrice", current.revision.content.unitPrice.minorUnits)
      $0.field("purchasable", view.isPurchasable)
      $0.field("availableQuantity", current.stock)
    }
  }

  private mutating func priceChange(_ view: LineView) {
    key("priceChange")
    guard let (from, to) = view.changedPrice else { return null() }
    object {
      $0.field("direction", to > from ? "increase" : "decrease")
      $0.field("from", from)
      $0.field("to", to)
    }
  }

  /// The server's own keys, each if it says something, then the client's.
  private mutating func extraData(_ view: LineView, lowStock: Int) {
    if let product = view.current {
      if let stock = product.stock {
        field("stock", StockMark(stock: stock, quantity: view.line.quantity, low: lowStock).rawValue)
      }
      let revision = product.revision
      limit("purchaseLimit", revision.content.purchaseLimit)
      limit("customerLimit", revision.content.customerLimit)
      // One piece, in steps of one, is what everybody expects.
      limit("minimumQuantity", revision.content.minimumQuantity, unless: 1)
      limit("quantityStep", revision.content.quantityStep, unless: 1)
      if let start = revision.content.availableFrom { field("availableFrom", start) }
      if let end = revision.content.availableUntil { field("availableUntil", end) }
    }
    if let data = view.line.clientData { members(of: data) }
  }

  private mutating func limit(_ name: StaticString, _ value: Int?, unless plain: Int? = nil) {
    if let value, value != plain { field(name, value) }
  }

  private mutating func merchant(_ merchant: CartView.MerchantSummary) {
    object {
      $0.field("merchantId", merchant.merchantID.text)
      $0.field("selection", merchant.selection)
      $0.field("lines", merchant.lines)
      $0.field("selectedTotal", merchant.selectedTotal)
    }
  }

  private mutating func counts(_ counts: CartView.Counts) {
    object("counts") {
      $0.field("lines", counts.lines)
      $0.field("quantity", counts.quantity)
      $0.field("selectedLines", counts.selectedLines)
      $0.field("selectedQuantity", counts.selectedQuantity)
    }
  }

  private mutating func totals(_ totals: CartView.Totals) {
    object("totals") {
      $0.field("all", totals.all)
      $0.field("selected", totals.selected)
    }
  }
}

/// What `extraData.stock` says of a counted stock.
enum StockMark: String {
  case out
  case insufficient
  case low
  case `in`

  /// - Parameters:
  ///   - stock: pieces left.
  ///   - quantity: pieces in the line.
  ///   - low: the largest stock that is low.
  init(stock: Int, quantity: Int, low: Int) {
    self = stock <= 0 ? .out : stock < quantity ? .insufficient : stock <= low ? .low : .in
  }
}
