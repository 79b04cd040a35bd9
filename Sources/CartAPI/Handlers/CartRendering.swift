package import CartDomain
package import CartJSON

extension JSONWriter {
  /// The whole cart as the API shows it.
  ///
  /// - Parameters:
  ///   - lowStock: a counted stock up to this one is `low`.
  ///   - merge: what became of a guest's cart on the way.
  package mutating func cart(_ view: CartView, lowStock: Int, merge: MergeReading? = nil) {
    let cart = view.cart
    beginObject()
    key("version")
    integer(cart.version)
    key("owner")
    string(cart.owner?.kind ?? "guest")
    key("currency")
    string(cart.currency?.code)
    key("minorUnit")
    integer(cart.currency?.minorUnit)
    key("expiresAt")
    // An empty cart has nothing that could be lost.
    if let end = cart.expiresAt, !view.lines.isEmpty { timestamp(end) } else { null() }
    key("lines")
    beginArray()
    for index in view.lines.indices { line(view.lines[index], currency: cart.currency, lowStock: lowStock) }
    endArray()
    key("merchants")
    beginArray()
    for merchant in view.merchants { self.merchant(merchant) }
    endArray()
    counts(view.counts)
    totals(view.totals)
    key("problems")
    problems(view.problems)
    if let merge { self.merge(merge) }
    endObject()
  }

  /// The key `merge`, where there is something to tell.
  private mutating func merge(_ reading: MergeReading) {
    switch reading {
    case .nothing: return
    case .pending:
      key("merge")
      beginObject()
      key("pending")
      boolean(true)
    case .merged(let strategy, let lines):
      key("merge")
      beginObject()
      key("strategy")
      string(strategy.rawValue)
      key("lines")
      beginArray()
      for line in lines {
        beginObject()
        key("sku")
        string(line.sku.text)
        key("outcome")
        string(line.outcome.rawValue)
        key("quantity")
        integer(line.quantity)
        endObject()
      }
      endArray()
    }
    endObject()
  }

  /// The three keys of `?view=summary`.
  mutating func summary(_ view: CartView) {
    beginObject()
    key("version")
    integer(view.cart.version)
    counts(view.counts)
    totals(view.totals)
    endObject()
  }

  /// What stops an order, as an array.
  mutating func problems(_ violations: [Violation]) {
    beginArray()
    for violation in violations {
      beginObject()
      key("code")
      string(violation.code.rawValue)
      if let sku = violation.sku {
        key("sku")
        string(sku.text)
      }
      quantities(requested: violation.requested, available: violation.available, limit: violation.limit)
      endObject()
    }
    endArray()
  }

  private mutating func line(_ view: LineView, currency: Currency?, lowStock: Int) {
    let line = view.line
    beginObject()
    key("sku")
    string(line.sku.text)
    key("merchantId")
    string(line.merchantID.text)
    key("quantity")
    integer(line.quantity)
    key("selected")
    boolean(line.isSelected)
    key("addedAt")
    timestamp(line.addedAt)
    key("snapshot")
    snapshot(view)
    key("current")
    current(view, currency: currency)
    key("priceChange")
    if let (from, to) = view.changedPrice { priceChange(from: from, to: to) } else { null() }
    key("extraData")
    extraData(view, lowStock: lowStock)
    key("lineTotal")
    integer(view.lineTotal)
    endObject()
  }

  private mutating func snapshot(_ view: LineView) {
    // A revision that nobody knows any more leaves the price, which the line carries itself.
    let revision = view.snapshot ?? view.current?.revision
    beginObject()
    key("name")
    string(revision?.content.name ?? view.line.sku.text)
    key("picture")
    string(revision?.content.picture)
    key("unitPrice")
    integer(view.line.unitPrice)
    endObject()
  }

  /// Null also where the product is now sold in another currency: it has no current price in this cart's.
  private mutating func current(_ view: LineView, currency: Currency?) {
    guard let current = view.current, current.revision.content.unitPrice.currency == currency else { return null() }
    beginObject()
    key("unitPrice")
    integer(current.revision.content.unitPrice.minorUnits)
    key("purchasable")
    boolean(view.isPurchasable)
    key("availableQuantity")
    integer(current.stock)
    endObject()
  }

  private mutating func priceChange(from: Int64, to: Int64) {
    beginObject()
    key("direction")
    string(to > from ? "increase" : "decrease")
    key("from")
    integer(from)
    key("to")
    integer(to)
    endObject()
  }

  /// The server's own keys, each where it says something, then the client's.
  private mutating func extraData(_ view: LineView, lowStock: Int) {
    beginObject()
    if let product = view.current {
      if let stock = product.stock {
        key("stock")
        string(StockMark(stock: stock, quantity: view.line.quantity, low: lowStock).rawValue)
      }
      let revision = product.revision
      limit("purchaseLimit", revision.content.purchaseLimit)
      limit("customerLimit", revision.content.customerLimit)
      // One piece, in steps of one, is what everybody expects.
      limit("minimumQuantity", revision.content.minimumQuantity, unless: 1)
      limit("quantityStep", revision.content.quantityStep, unless: 1)
      if let start = revision.content.availableFrom {
        key("availableFrom")
        timestamp(start)
      }
      if let end = revision.content.availableUntil {
        key("availableUntil")
        timestamp(end)
      }
    }
    if let data = view.line.clientData { members(of: data) }
    endObject()
  }

  private mutating func limit(_ name: StaticString, _ value: Int?, unless plain: Int? = nil) {
    guard let value, value != plain else { return }
    key(name)
    integer(value)
  }

  private mutating func merchant(_ merchant: CartView.MerchantSummary) {
    beginObject()
    key("merchantId")
    string(merchant.merchantID.text)
    key("selection")
    string(merchant.selection)
    key("lines")
    integer(merchant.lines)
    key("selectedTotal")
    integer(merchant.selectedTotal)
    endObject()
  }

  private mutating func counts(_ counts: CartView.Counts) {
    key("counts")
    beginObject()
    key("lines")
    integer(counts.lines)
    key("quantity")
    integer(counts.quantity)
    key("selectedLines")
    integer(counts.selectedLines)
    key("selectedQuantity")
    integer(counts.selectedQuantity)
    endObject()
  }

  private mutating func totals(_ totals: CartView.Totals) {
    key("totals")
    beginObject()
    key("all")
    integer(totals.all)
    key("selected")
    integer(totals.selected)
    endObject()
  }

  private mutating func timestamp(_ time: Timestamp) {
    let text = time.rfc3339Bytes
    plainString(text.span)
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
