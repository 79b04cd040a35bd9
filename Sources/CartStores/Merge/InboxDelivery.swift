package import CartDomain

/// What became of the commands for a cart.
package struct Delivery: Equatable, Sendable {
  /// A command that took effect here, and not by another process.
  package struct Applied: Equatable, Sendable {
    package var command: InboxCommand
    /// The cart before it.
    package var before: Cart
  }

  /// Whether the cart has followed all of them; false if Redis has no such cart, or none that is to be trusted.
  package var isComplete: Bool
  /// In their order.
  package var applied: [Applied]
}

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
  package func deliver(to owner: CartOwner) throws(StoreError) -> Delivery {
    var applied: [Delivery.Applied] = []
    let isComplete = try carts.histories.within { history throws(StoreError) in
      try retrying(Self.attempts, "the cart") { () throws(StoreError) -> Attempted<Bool> in
        guard case .current(let hash, _) = try carts.read([owner], in: history)[0], hash.state == .open else {
          return .done(false)
        }
        let commands = try archive.commands(for: owner, after: hash.inboxNumber)
        guard let command = commands.first else { return .done(true) }
        if try carts.apply(command, to: hash, in: history) != nil {
          applied.append(Delivery.Applied(command: command, before: hash.cart))
        }
        return .again
      }
    }
    return Delivery(isComplete: isComplete, applied: applied)
  }
}

@available(*, unavailable)
extension InboxDelivery: Sendable {}
