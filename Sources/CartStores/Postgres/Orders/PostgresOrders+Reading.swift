package import CartDomain

extension PostgresOrders {
  /// An order of whomever's; `nil` where there is none.
  package func order(_ id: OrderID) throws(StoreError) -> Order? {
    let rows = try archive.run(Self.one, [.text(id.text)])
    if rows.rowCount == 0 { return nil }
    var orders = [try Self.order(rows, 0).order]
    try addLines(to: &orders)
    return orders[0]
  }

  /// Orders of one owner, the newest first.
  package func orders(
    of owner: CartOwner, before: OrderCursor?, limit: Int
  ) throws(StoreError) -> OrderPage {
    let rows = try archive.run(
      Self.page,
      [
        .text(owner.kind), .text(owner.id), .integer(before?.placed), .text(before?.id.text), .integer(limit + 1),
      ])
    var orders: [Order] = []
    var next: OrderCursor?
    for row in 0..<min(limit, rows.rowCount) {
      let (order, microseconds) = try Self.order(rows, row)
      orders.append(order)
      if rows.rowCount > limit { next = OrderCursor(placed: microseconds, id: order.id) }
    }
    try addLines(to: &orders)
    return OrderPage(orders: orders, next: next)
  }

  /// Reads ``columns``, without the lines.
  static func order(
    _ rows: borrowing PostgresResult, _ row: Int
  ) throws(StoreError) -> (order: Order, microseconds: Int64) {
    guard let id = rows.text(row, 0).flatMap({ OrderID($0) }),
      let owner = CartOwner(kind: rows.text(row, 1) ?? "", id: rows.text(row, 2) ?? ""),
      let status = rows.text(row, 3).flatMap(OrderStatus.init(rawValue:)),
      let currency = rows.text(row, 4).flatMap({ Currency($0) }), let total = rows.integer(row, 5),
      let microseconds = rows.integer(row, 7)
    else { throw corrupt }
    let order = Order(
      id: id, owner: owner, status: status, total: Money(minorUnits: total, currency: currency),
      clientData: rows.text(row, 6).map { Array($0.utf8) }, lines: [],
      placedAt: Timestamp(milliseconds: microseconds / 1_000), cartVersion: rows.integer(row, 8))
    return (order, microseconds)
  }

  func addLines(to orders: inout [Order]) throws(StoreError) {
    if orders.isEmpty { return }
    let rows = try archive.run(Self.lines, [.texts(orders.map(\.id.text))])
    for row in 0..<rows.rowCount {
      guard let position = rows.integer(row, 0), (1...Int64(orders.count)).contains(position),
        let sku = rows.text(row, 1).flatMap(SKU.init), let merchant = rows.text(row, 2).flatMap(MerchantID.init),
        let name = rows.text(row, 3), let quantity = rows.integer(row, 5), let price = rows.integer(row, 6)
      else { throw Self.corrupt }
      orders[Int(position) - 1].lines.append(
        OrderLine(
          sku: sku, merchantID: merchant, name: name, picture: rows.text(row, 4), quantity: Int(quantity),
          unitPrice: price, clientData: rows.text(row, 7).map { Array($0.utf8) }))
    }
  }

  // MARK: Statements

  /// What ``order(_:_:)`` reads.
  static let columns = """
    o.order_id, o.owner_kind, o.owner_id, o.status, o.currency, o.total, o.client_data,
    (extract(epoch FROM o.placed_at) * 1000000)::bigint, o.cart_version
    """

  static let one = PostgresStatement(
    "order_one", "SELECT \(columns) FROM placed_orders o WHERE o.order_id = $1")

  static let page = PostgresStatement(
    "order_page",
    """
    SELECT \(columns) FROM placed_orders o
    WHERE o.owner_kind = $1 AND o.owner_id = $2 AND ($3::bigint IS NULL
      OR (o.placed_at, o.order_id)
        < (timestamptz 'epoch' + $3::bigint / 1000000 * interval '1 second' + $3::bigint % 1000000 * interval '1 microsecond', $4))
    ORDER BY o.placed_at DESC, o.order_id DESC LIMIT $5
    """)

  static let lines = PostgresStatement(
    "order_lines",
    """
    SELECT w.position, l.sku, r.merchant_id, r.name, r.picture, l.quantity, r.unit_price, l.client_data
    FROM unnest($1::text[]) WITH ORDINALITY AS w (order_id, position)
    JOIN placed_lines l ON l.order_id = w.order_id
    JOIN product_revisions r ON r.revision = l.revision
    ORDER BY w.position, l.position
    """)
}
