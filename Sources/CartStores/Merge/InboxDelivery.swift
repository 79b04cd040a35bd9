package import CartDomain

/// Carries PostgreSQL's commands to the carts in Redis: each takes effect once, in order.
///
/// The number of the last command that a cart has followed stands in the cart itself, and goes into PostgreSQL with it;
/// a command is dropped there when the persisted copy contains it. So it does no harm to carry one twice.
package final class InboxDelivery {
  let carts: RedisCarts
  let archive: PostgresCarts

  package init(_ carts: RedisCarts, archive: PostgresCarts) {
    self.carts = carts
    self.archive = archive
  }

  /// A cart whose lines change all the time is tried so often.
  private static let attempts = 200

  /// Delivers all commands that a cart in Redis has not followed.
  ///
  /// - Parameter didApply: told of each that took effect here, and of the cart before it.
  /// - Returns: whether it has followed them; `false` where Redis has no such cart, or none that is to be trusted.
  @discardableResult
  package func deliver(
    to owner: CartOwner, didApply: (InboxCommand, Cart) -> Void = { _, _ in }
  ) throws(StoreError) -> Bool {
    try carts.histories.within { history throws(StoreError) in
      for _ in 0..<Self.attempts {
        guard case .current(let hash, _) = try carts.read([owner], in: history)[0] else { return false }
        if hash.state != .open { return false }
        let commands = try archive.commands(for: owner, after: hash.inboxNumber)
        guard let command = commands.first else { return true }
        if try carts.apply(command, to: hash, in: history) != nil { didApply(command, hash.cart) }
      }
      throw StoreError(.unavailable, "the cart changes too fast to follow a command")
    }
  }
}

@available(*, unavailable)
extension InboxDelivery: Sendable {}
