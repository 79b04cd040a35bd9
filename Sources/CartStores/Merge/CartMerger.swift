package import CartDomain

/// Merges guests' carts into users', each once and into one.
///
/// The guest's cart is frozen, with what it merges into written into it; PostgreSQL records the merge under the guest's
/// id and commands the user's cart to take the lines in; that is delivered, and a tombstone is left of the
/// guest's cart. A process that finds a merge half done ends it, by the same steps.
package final class CartMerger {
  let restorer: CartRestorer
  let persister: CartPersister
  let catalogue: any Catalogue
  private var carts: RedisCarts { restorer.carts }
  private var archive: PostgresCarts { restorer.archive }

  package init(_ restorer: CartRestorer, persister: CartPersister, catalogue: any Catalogue) {
    self.restorer = restorer
    self.persister = persister
    self.catalogue = catalogue
  }

  /// How and into whose cart a frozen one is merged; as it stands in the field `#o`: `sum user-id`.
  private struct Target: Equatable {
    var strategy: MergeStrategy
    var user: UserID

    var text: String { "\(strategy.rawValue) \(user.text)" }

    init(_ strategy: MergeStrategy, _ user: UserID) {
      self.strategy = strategy
      self.user = user
    }

    init?(_ text: String?) {
      guard let text, let space = text.firstIndex(of: " "),
        let strategy = MergeStrategy(rawValue: String(text[..<space])),
        let user = UserID(String(text[text.index(after: space)...]))
      else { return nil }
      self.init(strategy, user)
    }
  }

  /// Merges a guest's cart into a user's.
  ///
  /// - Parameter key: of the request that asks for the merge; the user's cart remembers it.
  /// - Returns: as ``CartStore/merge(_:into:by:retryKey:requestID:)`` does.
  /// - Throws: ``StoreError`` where Redis is away.
  package func merge(
    _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey? = nil, requestID: String
  ) throws(StoreError) -> MergeReading {
    let owner = CartOwner.guest(guest)
    let target = Target(strategy, user)
    return try retrying(Self.attempts, "the guest's cart") { () throws(StoreError) -> Attempted<MergeReading> in
      let history = try carts.histories.current()
      guard case .current(let hash, _) = try carts.read([owner], in: history)[0] else {
        do throws(StoreError) {
          if try !carts.isKnownAbsent(owner, in: history), try restorer.restore([owner]).absent == 0 { return .again }
          return .done(try follow(guest, .user(user)))
        } catch {
          return .done(.pending)
        }
      }
      switch hash.state {
      case .merged: return .done(.nothing)
      case .merging:
        // Somebody has begun it, perhaps for another user: it goes on as it began.
        guard let begun = Target(hash.mergedInto) else { throw .corruptCart("target of a merge") }
        let reading = try end(hash, begun, retryKey, requestID, in: history)
        return .done(begun == target ? reading : .nothing)
      case .open:
        // Nothing is frozen where PostgreSQL can't be told.
        guard let isMerged = try? archive.isMerged(guest) else { return .done(.pending) }
        if try carts.freeze(hash, into: target.text, in: history), isMerged {
          try carts.leaveTombstone(owner, in: history)
        }
        return .again
      }
    }
  }

  private static let attempts = 50

  /// Ends a merge that was begun; does nothing for a cart that is not being merged.
  package func end(_ owner: CartOwner) throws(StoreError) {
    let history = try carts.histories.current()
    guard case .current(let hash, _) = try carts.read([owner], in: history)[0], hash.state == .merging else { return }
    guard let target = Target(hash.mergedInto) else { throw .corruptCart("target of a merge") }
    if try end(hash, target, nil, "", in: history) == .pending {
      // It may be this merge alone.
      throw StoreError(.unavailable, "PostgreSQL: a merge can't be recorded", wasReached: true)
    }
  }

  /// - Parameter hash: frozen.
  private func end(
    _ hash: CartHash, _ target: Target, _ key: RetryKey?, _ requestID: String, in history: RedisHistory
  ) throws(StoreError) -> MergeReading {
    guard let owner = hash.cart.owner, case .guest(let guest) = owner else { return .nothing }
    let user = CartOwner.user(target.user)
    // Somebody else may have recorded the merge, so that it takes effect at the first step already.
    var reading: MergeReading?
    do throws(StoreError) {
      reading = try restorer.restore([user]).applied.reading(ofMergeOf: guest)
      var frozen = hash
      var record: PostgresCarts.MergeRecord
      var attempt = 0
      repeat {
        // What an order has taken of it meanwhile is not merged as well: a frozen cart follows its commands here.
        for command in try archive.commands(for: owner, after: frozen.inboxNumber) {
          frozen.cart = frozen.cart.applying(command.command, uniting: JSONUnion.unite)
          frozen.inboxNumber = command.number
        }
        let merge = try plan(frozen, guest, target, key)
        record = try archive.record(merge, of: frozen, into: user, requestID: requestID, in: history)
        if record == .outranked {
          // Where the cart is not the frozen one any more, it was lost meanwhile and came back as it was before.
          guard let epoch = try raise(frozen, owner, in: history) else { return .pending }
          frozen.epoch = epoch
        }
        attempt += 1
      } while (record == .outranked || record == .behind) && attempt < 3
      if record == .outranked || record == .behind { return .pending }
    } catch {
      return .pending
    }
    let delivery = try deliver(to: user)
    if !delivery.isComplete { return .pending }
    reading = delivery.applied.reading(ofMergeOf: guest) ?? reading
    // It is in PostgreSQL as a command already; a copy that can't be written now is written by the syncer.
    _ = try? persister.sync(user)
    try carts.leaveTombstone(owner, in: history)
    return reading ?? .nothing
  }

  /// - Returns: the cart's new epoch; `nil` where Redis has another copy than this one.
  private func raise(_ hash: CartHash, _ owner: CartOwner, in history: RedisHistory) throws(StoreError) -> Int64? {
    let claim = try archive.claim([(owner, (hash.epoch, hash.cart.version))], in: history)[owner]
    guard let epoch = claim?.epoch else { return hash.epoch }
    return try carts.raise([(hash, epoch)], in: history) == [true] ? epoch : nil
  }

  /// What the user's cart is to take in: limits and stock as they are now.
  private func plan(
    _ hash: CartHash, _ guest: GuestCartID, _ target: Target, _ key: RetryKey?
  ) throws(StoreError) -> CartMerge {
    let now = carts.connection.now
    let products = try catalogue.exactProducts(for: hash.cart.lines.map(\.sku))
    return CartMerge(
      of: guest, hash.cart, products: products, by: target.strategy, at: now, key: key, hash.ring)
  }

  /// A guest's cart was merged, or never was. Where that was a moment ago, the user's cart may not have followed yet.
  private func follow(_ guest: GuestCartID, _ user: CartOwner) throws(StoreError) -> MergeReading {
    let delivery = try deliver(to: user)
    if !delivery.isComplete { return .pending }
    let reading = delivery.applied.reading(ofMergeOf: guest)
    if reading != nil { _ = try? persister.sync(user) }
    return reading ?? .nothing
  }

  /// Lets the user's cart take the lines in.
  private func deliver(to user: CartOwner) throws(StoreError) -> Delivery {
    var applied: [Delivery.Applied] = []
    for _ in 0..<Self.attempts {
      let delivery = try restorer.delivery.deliver(to: user)
      applied += delivery.applied
      if delivery.isComplete { return Delivery(isComplete: true, applied: applied) }
      // A user without a cart has one now, in PostgreSQL: it comes from there. Somebody else may be at it as well.
      let report = try restorer.restore([user])
      applied += report.applied
      if report.absent == 1 { return Delivery(isComplete: true, applied: applied) }
    }
    return Delivery(isComplete: false, applied: applied)
  }
}

extension [Delivery.Applied] {
  /// What became of a guest's lines, if they were taken in here and not by another process.
  fileprivate func reading(ofMergeOf guest: GuestCartID) -> MergeReading? {
    for applied in self {
      guard case .merge(let merge) = applied.command.command, merge.guest == guest else { continue }
      return .merged(merge.strategy, applied.before.report(of: merge))
    }
    return nil
  }
}

@available(*, unavailable)
extension CartMerger: Sendable {}
