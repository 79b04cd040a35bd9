package import CartDomain

/// A cart as an operator finds it.
package struct CartFinding: Sendable {
  package enum Place: String, Sendable {
    case redis, postgres
  }

  /// The newer of the copies; one never written where neither store has it.
  package var cart: Cart
  /// Where ``cart`` comes from.
  package var place: Place?
  /// The copy in Redis.
  package var hash: CartHash?
  /// The copy in PostgreSQL.
  package var row: CartRow?
  /// When PostgreSQL's copy was last written.
  package var syncedAt: Timestamp?
  /// Redis's copy is of another history than the one that Redis is in: it is compared with PostgreSQL's before its next
  /// use.
  package var isStale = false
  /// Why a store did not answer.
  package var redisFailure: StoreError?
  package var postgresFailure: StoreError?
}

/// Looks at carts in both stores. Nobody uses them by that: nothing is claimed, renewed or registered.
package final class CartInspector {
  private let redis: RedisConnection
  private let histories: RedisHistories
  private let archive: PostgresCarts

  package init(_ stores: StoreGraph) {
    redis = stores.redis
    archive = stores.archive
    histories = stores.histories
  }

  /// - Throws: ``StoreError`` where a store is away and the other has no cart: then nobody knows whether there is one.
  package func look(at owner: CartOwner) throws(StoreError) -> CartFinding {
    var finding = CartFinding(cart: Cart(owner: owner))
    do throws(StoreError) {
      try lookIntoRedis(owner, &finding)
    } catch {
      finding.redisFailure = error
    }
    do throws(StoreError) {
      if let found = try archive.seen(owner) { (finding.row, finding.syncedAt) = (found.row, found.syncedAt) }
    } catch {
      finding.postgresFailure = error
    }
    if finding.hash == nil, finding.row == nil, let error = finding.redisFailure ?? finding.postgresFailure {
      throw error
    }
    let row = finding.row?.hash
    if let hash = finding.hash, !finding.isStale || row.map({ place(of: hash) >= place(of: $0) }) ?? true {
      finding.place = .redis
      if hash.state != .merged { finding.cart = hash.cart }
    } else if let row, row.cart.version > 0 || row.state != .open {
      finding.place = .postgres
      if row.state != .merged { finding.cart = row.cart }
    }
    return finding
  }

  private func place(of hash: CartHash) -> (Int64, Int64) { (hash.epoch, hash.cart.version) }

  private func lookIntoRedis(_ owner: CartOwner, _ finding: inout CartFinding) throws(StoreError) {
    let history: RedisHistory?
    do throws(StoreError) {
      history = try histories.current()
    } catch {
      if redis.isForeign { throw error }
      // It begins another one with its next use.
      history = nil
    }
    let replies = try redis.exchange(RedisCommand("HGETALL", redis.keys.cart(of: owner)), .idempotent)
    let hash = try replies.read(0) { fields throws(StoreError) in try CartHash(owner: owner, fields: fields) }
    // A note that there is no cart is not one.
    guard let hash, hash.epoch > 0 || hash.cart.version > 0 || hash.mergedInto != nil else { return }
    finding.hash = hash
    finding.isStale = hash.history != history?.number ?? 0
  }
}

@available(*, unavailable)
extension CartInspector: Sendable {}
