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
    let rows = try archive.read(
      Self.claimKey, [.text(owner.kind), .text(owner.id), .text(key.text), .text(Self.hex(key.request))])
    guard let id = rows.text(0, 1) else { return rows.boolean(0, 0) == true ? .free : .taken }
    guard rows.boolean(0, 2) == true else { return .reused }
    guard let id = OrderID(id) else { throw Self.corrupt }
    return .used(id)
  }

  static func hex(_ bytes: [UInt8]) -> String {
    bytes.reduce(into: "\\x") { text, byte in text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
  }

  // MARK: The cart and its products

  /// Keeps the cart within the transaction of its order, and locks its row until that ends.
  func persist(_ hash: CartHash, usedAt: Timestamp) throws(StoreError) -> PostgresCarts.Written {
    try archive.persist([(hash, usedAt)])
  }

  private func lastCommand(for owner: CartOwner) throws(StoreError) -> Int64 {
    try archive.read(Self.lastCommand, [.text(owner.kind), .text(owner.id)]).integer(0, 0) ?? 0
  }

  /// What is sold of a SKU now, its row locked.
  struct Offer {
    var sku: SKU
    var revision: RevisionID
    var stock: Int?
  }

  /// What an order is made of, locked until the transaction ends.
  struct Ground {
    var offers: [SKU: Offer] = [:]
    /// The last command that was put into the cart's inbox.
    var lastCommand: Int64 = 0
  }

  /// Locks products in the order of their SKUs, as everybody does who changes them: so nobody waits in a circle. Tells
  /// in the same answer what else there is to know of the cart, whose row is locked already.
  ///
  /// - Throws: ``StoreError`` also where a newer history of Redis is in use.
  func lock(_ skus: [SKU], of owner: CartOwner, in history: RedisHistory) throws(StoreError) -> Ground {
    let rows = try archive.read(Self.lockProducts, [.texts(skus.map(\.text)), .text(owner.kind), .text(owner.id)])
    var ground = Ground()
    let isKnown = rows.rowCount > 0
    ground.lastCommand = isKnown ? rows.integer(0, 3) ?? 0 : try lastCommand(for: owner)
    if !isKnown || rows.integer(0, 4) != history.lineage { try archive.confirm(history) }
    for row in 0..<rows.rowCount {
      guard let sku = rows.text(row, 0).flatMap(SKU.init), let revision = rows.text(row, 1).flatMap({ RevisionID($0) })
      else { throw Self.corrupt }
      ground.offers[sku] = Offer(sku: sku, revision: revision, stock: rows.integer(row, 2).map(Int.init))
    }
    return ground
  }

  /// How much of each SKU the owner's orders that stand have taken.
  func purchases(of owner: CartOwner, _ skus: [SKU]) throws(StoreError) -> [SKU: Int] {
    if skus.isEmpty { return [:] }
    let rows = try archive.read(Self.purchases, [.text(owner.kind), .text(owner.id), .texts(skus.map(\.text))])
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
    /// The products whose stock went down, as they are now.
    var moved: [Product]
  }

  /// Writes an order: stock goes down, the key is used up, and the cart is commanded to let go of the lines.
  ///
  /// - Returns: `nil` where the key was used up after all, while it was being claimed.
  func write(_ draft: Draft) throws(StoreError) -> Written? {
    let order = draft.order
    let skus = order.lines.map { Optional($0.sku.text) }
    let rows = try archive.read(
      Self.place,
      [
        .text(order.id.text), .text(order.owner.kind), .text(order.owner.id), .text(order.total.currency.code),
        .integer(order.total.minorUnits), .text(order.clientData.map { String(decoding: $0, as: UTF8.self) }),
        .texts(skus), .integers(order.lines.map { Int64($0.quantity) }), .texts(draft.products.map(\.revision.id.text)),
        .booleans(draft.products.map { $0.stock != nil }),
        .texts(order.lines.map { $0.clientData.map { String(decoding: $0, as: UTF8.self) } }),
        .text(draft.key.text), .text(Self.hex(draft.key.request)), .integer(draft.lastCommand),
        .text(draft.command.action), .text(draft.command.payload), .text(draft.requestID),
      ])
    if rows.rowCount == 0 { return nil }
    var written = order
    guard let placed = rows.integer(0, 0), let number = rows.integer(0, 1) else { throw Self.corrupt }
    written.placedAt = Timestamp(milliseconds: placed / 1_000)
    var movements: [SKU: (stock: Int64, stamp: Int64)] = [:]
    for row in 0..<rows.rowCount {
      guard let sku = rows.text(row, 2).flatMap(SKU.init) else { continue }
      guard let stock = rows.integer(row, 3), let stamp = rows.integer(row, 4) else { throw Self.corrupt }
      movements[sku] = (stock, stamp)
    }
    let moved = draft.products.compactMap { product in
      movements[product.content.sku].map { movement in
        Product(revision: product.revision, stock: Int(movement.stock), stamp: movement.stamp)
      }
    }
    guard moved.count == draft.products.count(where: { $0.stock != nil }) else {
      throw StoreError(.corrupt, "PostgreSQL: stock that was locked could not be taken")
    }
    let command = InboxCommand(
      owner: order.owner, number: number, previous: draft.lastCommand, command: draft.command,
      requestID: draft.requestID)
    return Written(order: written, command: command, moved: moved)
  }

  /// Notes the version of the cart after an order; the first one to be noted stays.
  ///
  /// - Returns: the one that stays.
  func note(cartVersion: Int64, of id: OrderID) throws(StoreError) -> Int64? {
    try archive.read(Self.noteVersion, [.text(id.text), .integer(cartVersion)]).integer(0, 0)
  }

  static let corrupt = StoreError(.corrupt, "PostgreSQL: an order can't be read")
}

@available(*, unavailable)
extension PostgresOrders: Sendable {}
