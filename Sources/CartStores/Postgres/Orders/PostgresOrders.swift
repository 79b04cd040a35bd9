internal import CartDomain

/// Orders in PostgreSQL, and the statements of a checkout's transaction; ``Checkout`` says in which order they run.
package final class PostgresOrders {
  package let archive: PostgresCarts
  package var connection: PostgresConnection { archive.connection }

  package init(_ archive: PostgresCarts) {
    self.archive = archive
  }

  // MARK: The key

  /// What a key has led to before.
  enum Claim: Equatable {
    /// Nothing; it is held until the transaction ends.
    case free
    /// Another transaction holds it.
    case taken
    case used(OrderID)
    /// It belongs to another wish.
    case reused
  }

  /// Takes hold of a key within a transaction. The keys of guests that were merged into a user count as that user's
  /// where they stand for the same wish: he may have logged in between a wish and its repetition.
  func claim(_ key: OrderKey, of owner: CartOwner) throws(StoreError) -> Claim {
    try Self.claim(try archive.run(Self.claimKey, Self.arguments(key, owner)))
  }

  private static func claim(_ rows: borrowing PostgresResult) throws(StoreError) -> Claim {
    guard let id = rows.text(0, 1) else { return rows.boolean(0, 0) == true ? .free : .taken }
    guard rows.boolean(0, 2) == true else { return .reused }
    guard let id = OrderID(id) else { throw corrupt }
    return .used(id)
  }

  private static func arguments(_ key: OrderKey, _ owner: CartOwner) -> [PostgresParameter] {
    [.text(owner.kind), .text(owner.id), .text(key.text), .text(hex(key.request))]
  }

  static func hex(_ bytes: [UInt8]) -> String {
    bytes.reduce(into: "\\x") { text, byte in text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
  }

  // MARK: The cart and its products

  /// What is sold of a SKU, and what is left of it, as it was a moment ago: neither is locked.
  struct Offer {
    var sku: SKU
    var revision: RevisionID
    var stock: Int?
  }

  /// What an order is made of; the cart's row is locked until the transaction ends.
  struct OrderInputs {
    var offers: [SKU: Offer] = [:]
    /// The last command that was put into the cart's inbox.
    var lastCommand: Int64
  }

  /// What stands in the way of an order, or what it is made of.
  enum Preparation {
    /// Its key is not free; nothing was done.
    case claimed(Claim)
    /// The database has another copy of the cart, and holds to it.
    case notPersisted
    case ready(OrderInputs)
  }

  /// Takes hold of an order's key, keeps its cart, whose row is locked until the transaction ends, and reads what is
  /// sold. In one statement, for each round trip costs an order more than what it asks for.
  ///
  /// - Throws: ``StoreError`` also where a newer history of Redis is in use.
  func prepare(
    _ key: OrderKey, of owner: CartOwner, _ hash: CartHash, usedAt: Timestamp, _ skus: [SKU], in history: RedisHistory
  ) throws(StoreError) -> Preparation {
    let rows = try archive.run(
      Self.ground,
      PostgresCarts.columns(of: [(hash, usedAt)]) + Self.arguments(key, owner) + [.texts(skus.map(\.text))])
    let claim = try Self.claim(rows)
    guard claim == .free else { return .claimed(claim) }
    guard let lastCommand = rows.integer(0, 3) else { return .notPersisted }
    if rows.integer(0, 4) != history.number { try archive.confirm(history) }
    var ground = OrderInputs(lastCommand: lastCommand)
    for row in 0..<rows.rowCount {
      guard let name = rows.text(row, 5) else { continue }
      guard let sku = SKU(name), let revision = rows.text(row, 6).flatMap({ RevisionID($0) }) else {
        throw Self.corrupt
      }
      ground.offers[sku] = Offer(sku: sku, revision: revision, stock: rows.integer(row, 7).map(Int.init))
    }
    return .ready(ground)
  }

  /// How much of each SKU the owner's orders that stand have taken.
  func purchases(of owner: CartOwner, _ skus: [SKU]) throws(StoreError) -> [SKU: Int] {
    if skus.isEmpty { return [:] }
    let rows = try archive.run(Self.purchases, [.text(owner.kind), .text(owner.id), .texts(skus.map(\.text))])
    var bought: [SKU: Int] = [:]
    for row in 0..<rows.rowCount {
      guard let sku = rows.text(row, 0).flatMap(SKU.init), let quantity = rows.integer(row, 1) else {
        throw Self.corrupt
      }
      bought[sku] = Int(quantity)
    }
    return bought
  }

  // MARK: Writing

  /// An order that is to be written, with all that goes with it.
  struct Draft {
    var order: Order
    /// One for each line of the order, as they are before it.
    var products: [Product]
    var key: OrderKey
    var command: CartCommand
    /// The last command of the cart.
    var lastCommand: Int64
    var requestID: String
  }

  /// What was written.
  struct Written {
    var order: Order
    var command: InboxCommand
    /// The stock that went down.
    var moved: [StockMovement]
  }

  /// What became of an order that was to be written.
  enum Writing {
    case written(Written)
    /// The key was used up after all, while it was being claimed.
    case keyUsed
    /// Of something less is left than was read: what was written must not stay.
    case stockGone
  }

  /// Writes an order: stock goes down, the key is used up, and the cart is commanded to let go of the lines.
  func write(_ draft: Draft) throws(StoreError) -> Writing {
    let order = draft.order
    let skus = order.lines.map { Optional($0.sku.text) }
    let rows = try archive.run(
      Self.place,
      [
        .text(order.id.text), .text(order.owner.kind), .text(order.owner.id), .text(order.total.currency.code),
        .integer(order.total.minorUnits), .text(order.clientData.map { String(decoding: $0, as: UTF8.self) }),
        .texts(skus), .integers(order.lines.map { Int64($0.quantity) }), .texts(draft.products.map(\.revision.id.text)),
        .booleans(draft.products.map { $0.stock != nil }),
        .texts(order.lines.map { $0.clientData.map { String(decoding: $0, as: UTF8.self) } }),
        .text(draft.key.text), .text(Self.hex(draft.key.request)), .integer(draft.lastCommand),
        .text(draft.command.action), .text(draft.command.payload), .text(draft.requestID), .integer(order.cartVersion),
      ])
    if rows.rowCount == 0 { return .keyUsed }
    var written = order
    guard let placed = rows.integer(0, 0), let number = rows.integer(0, 1) else { throw Self.corrupt }
    written.placedAt = Timestamp(milliseconds: placed / 1_000)
    let moved = try StockMovement.all(in: rows, from: 2)
    guard moved.count == draft.products.count(where: { $0.stock != nil }) else { return .stockGone }
    let command = InboxCommand(
      owner: order.owner, number: number, previous: draft.lastCommand, command: draft.command,
      requestID: draft.requestID)
    return .written(Written(order: written, command: command, moved: moved))
  }

  /// Corrects the version of the cart after an order.
  func note(cartVersion: Int64, of id: OrderID) throws(StoreError) {
    _ = try archive.run(Self.noteVersion, [.text(id.text), .integer(cartVersion)])
  }

  static let corrupt = StoreError(.corrupt, "PostgreSQL: an order can't be read")
}

@available(*, unavailable)
extension PostgresOrders: Sendable {}
