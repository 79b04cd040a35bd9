/// The name of an order: random, so that it can't be guessed; it is part of a path.
package struct OrderID: Identifier {
  package let text: String

  /// `nil` if `text` is not 16 to 64 characters of base64url.
  package init?(_ text: String) {
    guard Base64URL.isText(text, of: 16...64) else { return nil }
    self.text = text
  }

  private init(digits: String) { text = digits }

  /// 131 random bits in letters and digits: with a dash in front it would look like an option to a command.
  package static func random() -> OrderID {
    let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    var generator = SystemRandomNumberGenerator()
    return OrderID(digits: String((0..<22).map { _ in digits[Int.random(in: 0..<digits.count, using: &generator)] }))
  }
}

/// How far an order came. The raw value is the one of API and tables.
package enum OrderStatus: String, Sendable, CaseIterable {
  case placed
  /// The shop has begun with it: the shopper can't cancel it any more.
  case accepted
  case cancelled
}

/// What a shopper has bought at once. Nothing but its status ever changes.
package struct Order: Equatable, Sendable {
  package var id: OrderID
  package var owner: CartOwner
  package var status: OrderStatus
  package var total: Money
  /// The client's own keys as one compact JSON object; `nil` if there are none.
  package var clientData: [UInt8]?
  /// In the order of the cart's lines.
  package var lines: [OrderLine]
  package var placedAt: Timestamp
  /// Of the cart after the ordered quantities left it.
  package var cartVersion: Int64?

  package init(
    id: OrderID, owner: CartOwner, status: OrderStatus = .placed, total: Money, clientData: [UInt8]?,
    lines: [OrderLine], placedAt: Timestamp, cartVersion: Int64? = nil
  ) {
    self.id = id
    self.owner = owner
    self.status = status
    self.total = total
    self.clientData = clientData
    self.lines = lines
    self.placedAt = placedAt
    self.cartVersion = cartVersion
  }
}

/// One SKU of an order, as it was sold.
package struct OrderLine: Equatable, Sendable {
  package var sku: SKU
  package var merchantID: MerchantID
  package var name: String
  package var picture: String?
  package var quantity: Int
  /// In minor units of the order's currency.
  package var unitPrice: Int64
  /// The client's own keys of the cart's line; `nil` if there are none.
  package var clientData: [UInt8]?

  package init(
    sku: SKU, merchantID: MerchantID, name: String, picture: String?, quantity: Int, unitPrice: Int64,
    clientData: [UInt8]?
  ) {
    self.sku = sku
    self.merchantID = merchantID
    self.name = name
    self.picture = picture
    self.quantity = quantity
    self.unitPrice = unitPrice
    self.clientData = clientData
  }

  /// At most 10⁶ × 10⁹: far below Int64.
  package var lineTotal: Int64 { unitPrice.multipliedReportingOverflow(by: Int64(quantity)).partialValue }
}

/// What names a request to order, so that it is carried out once.
package struct OrderKey: Equatable, Sendable {
  /// `Idempotency-Key`: 1 to 255 printable ASCII characters.
  package var text: String
  /// A cryptographic hash of the request; another one under the same key is another request.
  package var request: [UInt8]

  package init(text: String, request: [UInt8]) {
    self.text = text
    self.request = request
  }
}

/// A request to order.
package struct OrderRequest: Sendable {
  package var owner: CartOwner
  package var key: OrderKey
  /// What the shopper saw, in minor units of the cart's currency.
  package var expectedTotal: Int64
  /// The lines to order, selected or not; `nil` for the selected ones.
  package var skus: [SKU]?
  /// One compact JSON object.
  package var clientData: [UInt8]?
  /// All of them must hold for the cart's version.
  package var conditions: [VersionCondition]
  /// Names the request in the record of changes.
  package var requestID: String

  package init(
    owner: CartOwner, key: OrderKey, expectedTotal: Int64, skus: [SKU]? = nil, clientData: [UInt8]? = nil,
    conditions: [VersionCondition] = [], requestID: String = ""
  ) {
    self.owner = owner
    self.key = key
    self.expectedTotal = expectedTotal
    self.skus = skus
    self.clientData = clientData
    self.conditions = conditions
    self.requestID = requestID
  }
}

/// What became of a request to order; the cases are in the order of the checks.
package enum OrderOutcome: Equatable, Sendable {
  /// The key has led to this order before.
  case replayed(Order)
  /// The key belongs to another request.
  case keyReused
  /// Another request with the key is being worked on.
  case inProgress
  case versionMismatch
  /// The cart has no such lines.
  case lineNotFound([SKU])
  case nothingToOrder
  case refused([Violation])
  /// What it would cost now.
  case totalChanged(Int64)
  case placed(Order)
}

/// What became of a request to change an order's status.
package enum OrderTransition: Equatable, Sendable {
  /// As it is now; also if it was so before.
  case done(Order)
  /// It is too late, or the order is past that.
  case refused(Order)
  case unknown
}

/// Orders of one owner, newest first.
package struct OrderPage: Equatable, Sendable {
  package var orders: [Order]
  /// Where the next page begins; `nil` on the last one.
  package var next: OrderCursor?

  package init(orders: [Order], next: OrderCursor?) {
    self.orders = orders
    self.next = next
  }
}

/// A place in the list of an owner's orders: behind one of them.
package struct OrderCursor: Equatable, Sendable {
  /// Microseconds since 1970.
  package var placed: Int64
  package var id: OrderID

  package init(placed: Int64, id: OrderID) {
    self.placed = placed
    self.id = id
  }

  /// As clients see it: opaque.
  package var text: String { "\(String(placed, radix: 36)).\(id.text)" }

  /// `nil` for anything but a ``text``.
  package init?(_ text: String) {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, parts[0].utf8.count <= 12, let placed = Int64(parts[0], radix: 36), placed >= 0,
      let id = OrderID(parts[1])
    else { return nil }
    self.init(placed: placed, id: id)
  }
}

/// Where orders are placed and kept. The contract of every implementation:
///
/// - An order is placed as a whole or not at all, and once for each key of an owner, however often it is asked for.
///   A request that is refused leaves the key free.
/// - Stock never goes below zero. What an order has taken, its cancellation gives back, once.
/// - After an order exactly its quantities leave the cart: what was added meanwhile stays, and so does a line that was
///   removed and added anew.
package protocol OrderBook: AnyObject {
  /// Orders lines of a cart.
  ///
  /// - Throws: ``StoreError``; if ``StoreError/isOutcomeUnknown``, asking again with the same key gives the outcome.
  func place(_ request: OrderRequest) throws(StoreError) -> OrderOutcome

  /// `nil` if this owner has no such order.
  func order(_ id: OrderID, of owner: CartOwner) throws(StoreError) -> Order?

  /// - Parameters:
  ///   - before: where the former page ended; `nil` for the first one.
  ///   - limit: 1 or more.
  func orders(of owner: CartOwner, before: OrderCursor?, limit: Int) throws(StoreError) -> OrderPage

  /// Cancels an order that is young enough and not accepted; does nothing to one that is cancelled.
  func cancel(_ id: OrderID, of owner: CartOwner) throws(StoreError) -> OrderTransition

  /// How much of each SKU the owner's orders, except cancelled ones, have taken; a SKU that is missing has 0.
  func purchases(of owner: CartOwner, _ skus: [SKU]) throws(StoreError) -> [SKU: Int]
}
