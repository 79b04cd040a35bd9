internal import CartDomain

/// Orders in PostgreSQL, and the statements of a checkout's transaction; ``Checkout`` says in which order they run.
package final class PostgresOrders {
  package let archive: PostgresCarts
  package var connection: PostgresConnection { archive.connection }

  package init(_ archive: PostgresCarts) {
    self.archive = archive
  }

  static let corrupt = StoreError(.corrupt, "PostgreSQL: an order can't be read")
}

@available(*, unavailable)
extension PostgresOrders: Sendable {}
