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
  /// - Returns: with the SKUs whose stock has moved.
  /// - Throws: ``StoreError``; asking again is safe whatever became of it.
  package func cancel(
    _ id: OrderID, by rule: CancellationRule
  ) throws(StoreError) -> (transition: OrderTransition, moved: [SKU]) {
    var seconds = 0
    var owner: CartOwner?
    if case .owner(let name, let within) = rule { (owner, seconds) = (name, within) }
    return try patiently { () throws(StoreError) in
      guard let (order, isOld) = try lockOrder(id, seconds: seconds), owner == nil || order.owner == owner else {
        return (.unknown, [])
      }
      if order.status == .cancelled { return (.done(order), []) }
      if order.status != .placed || (owner != nil && isOld) { return (.refused(order), []) }
      _ = try archive.read(Self.lockOrdered, [.text(id.text)])
      let rows = try archive.read(Self.cancel, [.text(id.text)])
      var cancelled = order
      cancelled.status = .cancelled
      return (.done(cancelled), (0..<rows.rowCount).compactMap { rows.text($0, 0).flatMap(SKU.init) })
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
        _ = try archive.read(Self.accept, [.text(id.text)])
        order.status = .accepted
        return .done(order)
      }
    }
  }

  private func lockOrder(_ id: OrderID, seconds: Int) throws(StoreError) -> (Order, isOld: Bool)? {
    let rows = try archive.read(Self.lockOrder, [.text(id.text), .integer(seconds)])
    if rows.rowCount == 0 { return nil }
    var orders = [try Self.order(rows, 0).order]
    try addLines(to: &orders)
    return (orders[0], rows.boolean(0, 9) ?? true)
  }

  /// Runs a transaction that may be repeated as a whole; repeats it where only another one was in its way.
  func patiently<Answer>(_ body: () throws(StoreError) -> Answer) throws(StoreError) -> Answer {
    var attempt = 1
    while true {
      do throws(StoreError) {
        return try archive.inTransaction(body)
      } catch {
        guard error.isRetriable, attempt < Self.attempts else { throw error }
        attempt += 1
      }
    }
  }

  /// A lock is waited for a second; a deadlock is over at once.
  static let attempts = 4
}
