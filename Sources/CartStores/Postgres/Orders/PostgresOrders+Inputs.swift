import CartDomain

extension PostgresOrders {
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

  // MARK: Statements

  /// All that comes before an order is judged: takes hold of its key, and where that is free, persists the cart and
  /// reads what is sold. Only the cart's row is locked. Parameters 1 to 14 are the cart's, 15 and 16 its owner, 17 the
  /// key, 18 the request's hash, 19 the SKUs.
  static let ground = PostgresStatement(
    "order_inputs",
    """
    WITH claim AS MATERIALIZED (\(claim(kind: "$15", id: "$16", key: "$17", request: "$18"))),
    copies AS (\(PostgresCarts.copies) WHERE (SELECT is_held AND order_id IS NULL FROM claim)),
    written AS (\(PostgresCarts.writeCopies) RETURNING inbox_number),
    offers AS (
      SELECT p.sku, p.revision, s.stock FROM products p LEFT JOIN product_stock s ON s.sku = p.sku
      WHERE p.sku = ANY ($19::text[]) AND EXISTS (SELECT FROM written)
    )
    SELECT is_held, order_id, is_same, inbox_number, (SELECT max(number) FROM redis_lineages), sku, revision, stock
    FROM claim LEFT JOIN written ON true LEFT JOIN offers ON true
    """)

  static let purchases = PostgresStatement(
    "order_purchases",
    """
    SELECT l.sku, sum(l.quantity) FROM placed_orders o JOIN placed_lines l USING (order_id)
    WHERE o.owner_kind = $1 AND o.owner_id = $2 AND o.status <> 'cancelled' AND l.sku = ANY ($3::text[])
    GROUP BY l.sku
    """)
}
