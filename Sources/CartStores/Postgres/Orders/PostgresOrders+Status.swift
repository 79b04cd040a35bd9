package import CartDomain

extension PostgresOrders {
  /// Whether it may be cancelled, or by whom.
  package enum CancellationRule: Sendable {
    /// Its owner may, for so many seconds.
    case owner(CartOwner, within: Int)
    /// The shop may, as long as it has not begun with it.
    case shop
  }

  /// Cancels an order and gives back what it has taken, once; does nothing to one that is cancelled.
  ///
  /// - Returns: with the stock that has moved.
  /// - Throws: ``StoreError``; asking again is safe whatever became of it.
  package func cancel(
    _ id: OrderID, by rule: CancellationRule
  ) throws(StoreError) -> (transition: OrderTransition, moved: [StockMovement]) {
    var seconds = 0
    var owner: CartOwner?
    if case .owner(let name, let within) = rule { (owner, seconds) = (name, within) }
    return try patiently { () throws(StoreError) in
      guard let (order, isOld) = try lockOrder(id, seconds: seconds), owner == nil || order.owner == owner else {
        return (.unknown, [])
      }
      if order.status == .cancelled { return (.done(order), []) }
      if order.status != .placed || (owner != nil && isOld) { return (.refused(order), []) }
      let moved = try StockMovement.all(in: archive.run(Self.cancel, [.text(id.text)]))
      var cancelled = order
      cancelled.status = .cancelled
      return (.done(cancelled), moved)
    }
  }

  /// The shop begins with an order: from here on it can't be cancelled.
  package func accept(_ id: OrderID) throws(StoreError) -> OrderTransition {
    try patiently { () throws(StoreError) in
      guard var (order, _) = try lockOrder(id, seconds: 0) else { return .unknown }
      switch order.status {
      case .cancelled: return .refused(order)
      case .accepted: return .done(order)
      case .placed:
        _ = try archive.run(Self.accept, [.text(id.text)])
        order.status = .accepted
        return .done(order)
      }
    }
  }

  private func lockOrder(_ id: OrderID, seconds: Int) throws(StoreError) -> (Order, isOld: Bool)? {
    let rows = try archive.run(Self.lockOrder, [.text(id.text), .integer(seconds)])
    if rows.rowCount == 0 { return nil }
    var orders = [try Self.order(rows, 0).order]
    try addLines(to: &orders)
    return (orders[0], rows.boolean(0, 9) ?? true)
  }

  /// Runs a transaction that may be repeated as a whole; repeats it where only another one was in its way.
  private func patiently<Answer>(_ body: () throws(StoreError) -> Answer) throws(StoreError) -> Answer {
    var attempt = 1
    while true {
      do throws(StoreError) {
        return try archive.inTransaction(lockTimeout: connection.configuration.rowLockTimeout, body)
      } catch {
        guard error.code == .overloaded, attempt < Self.attempts else { throw error }
        attempt += 1
      }
    }
  }

  /// Who has waited for a lock in vain waits once more: there are others who need the worker.
  static let attempts = 2

  // MARK: Statements

  /// `$2` seconds after which an order is old.
  static let lockOrder = PostgresStatement(
    "order_lock",
    """
    SELECT \(columns), clock_timestamp() - o.placed_at > $2::bigint * interval '1 second'
    FROM placed_orders o WHERE o.order_id = $1 FOR UPDATE
    """)

  static let accept = PostgresStatement(
    "order_accept", "UPDATE placed_orders SET status = 'accepted' WHERE order_id = $1")

  /// Cancels an order that is locked, and gives its stock back. A stock that is not counted any more stays so.
  static let cancel = PostgresStatement(
    "order_cancel", waitsForLocks: true,
    """
    WITH cancelled AS (
      UPDATE placed_orders SET status = 'cancelled' WHERE order_id = $1
    ), lines AS (
      SELECT sku, quantity FROM placed_lines WHERE order_id = $1 AND is_counted
    ), given AS (
      SELECT s.sku FROM product_stock s WHERE s.sku IN (SELECT sku FROM lines) ORDER BY s.sku FOR NO KEY UPDATE
    )
    UPDATE product_stock s SET stock = least(s.stock::bigint + l.quantity, 2147483647),
      moved = next_generation(s.moved)
    FROM given g JOIN lines l ON l.sku = g.sku
    WHERE s.sku = g.sku AND s.stock IS NOT NULL
    RETURNING s.sku, s.stock, s.moved
    """)
}
