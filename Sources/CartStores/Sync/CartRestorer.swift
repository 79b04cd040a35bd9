package import CartDomain
import Glibc

/// Brings carts back into Redis from where they are kept for good.
///
/// A cart that Redis lacks, or that is of another history of Redis, is served by nobody until it was compared with
/// PostgreSQL. Whoever compares it holds its place by a token and raises its epoch in PostgreSQL, so that no copy made
/// before gets in there any more; then the newer of the two copies goes into the place, if the token still holds it. So
/// two restorers, or one that slept, do no harm.
package final class CartRestorer {
  /// What became of carts that were to be brought back.
  package struct Report: Equatable, Sendable {
    /// From PostgreSQL.
    package var restored = 0
    /// What Redis had was the newer copy, or as new.
    package var confirmed = 0
    /// Neither store has such a cart.
    package var absent = 0
    /// Somebody else was faster.
    package var contended = 0
    /// Redis had it already, and nothing was to be done.
    package var present = 0
    /// They can't be read.
    package var refused: [CartOwner] = []
    /// Commands that took effect on the way.
    package var applied: [Delivery.Applied] = []

    package init() {}

    /// Sums up all but ``applied``, which would be as large as all the carts.
    package static func += (sum: inout Report, more: Report) {
      sum.restored += more.restored
      sum.confirmed += more.confirmed
      sum.absent += more.absent
      sum.contended += more.contended
      sum.present += more.present
      sum.refused += more.refused
    }
  }

  let carts: RedisCarts
  let archive: PostgresCarts
  let delivery: InboxDelivery
  /// Told of every report.
  package var observe: ((Report) -> Void)?

  package init(_ carts: RedisCarts, archive: PostgresCarts) {
    self.carts = carts
    self.archive = archive
    delivery = InboxDelivery(carts, archive: archive)
  }

  /// Brings back those of `owners` whose carts Redis lacks or has of another history. Others are left alone.
  ///
  /// - Parameters:
  ///   - owners: of different carts; some hundreds at most.
  ///   - isPatient: whether somebody else who is at a single cart is waited for.
  /// - Throws: ``StoreError`` where one of the stores is away, and for a cart that can't be read.
  @discardableResult
  package func restore(_ owners: [CartOwner], isPatient: Bool = true) throws(StoreError) -> Report {
    let report = try carts.histories.within { history throws(StoreError) in
      try restore(owners, isPatient: isPatient, in: history)
    }
    observe?(report)
    return report
  }

  /// Has a cart do all that it is commanded; one that Redis lacks is brought back for it.
  ///
  /// - Returns: the commands that took effect here.
  @discardableResult
  func followCommands(_ owner: CartOwner) throws(StoreError) -> [Delivery.Applied] {
    let delivery = try self.delivery.deliver(to: owner)
    return delivery.isComplete ? delivery.applied : try delivery.applied + restore([owner]).applied
  }

  /// Those of `owners` whose carts Redis lacks or has of another history: one round trip, and nothing is claimed.
  package func missing(_ owners: [CartOwner]) throws(StoreError) -> [CartOwner] {
    try carts.histories.within { history throws(StoreError) in try carts.missing(owners, in: history) }
  }

  /// Like ``restore(_:)``, for very many: what Redis has costs next to nothing.
  package func rebuild(_ owners: [CartOwner]) throws(StoreError) -> Report {
    let missing = try missing(owners)
    var report = missing.isEmpty ? Report() : try restoreReadable(missing[...])
    report.present += owners.count - missing.count
    return report
  }

  /// Like ``restore(_:)``, but a cart that can't be read or whose row can't be had does not hold up the others.
  func restoreReadable(_ owners: ArraySlice<CartOwner>) throws(StoreError) -> Report {
    do throws(StoreError) {
      return try restore(Array(owners), isPatient: false)
    } catch {
      guard error.code == .corrupt || error.wasReached else { throw error }
      if owners.count == 1 {
        var report = Report()
        if error.code == .corrupt { report.refused = Array(owners) } else { report.contended = 1 }
        return report
      }
    }
    let middle = owners.startIndex + owners.count / 2
    var report = try restoreReadable(owners[..<middle])
    report += try restoreReadable(owners[middle...])
    return report
  }

  private func restore(
    _ owners: [CartOwner], isPatient: Bool, in history: RedisHistory
  ) throws(StoreError) -> Report {
    let token = Self.token()
    let found = try leaseRestore(owners, token: token, isPatient, in: history)
    do throws(StoreError) {
      return try restore(owners, found, token: token, in: history)
    } catch {
      // Others need not wait until it is forgotten.
      try? carts.release(owners, token: token, in: history)
      throw error
    }
  }

  /// Holds the places of carts. Who wants a single one may wait while somebody else is at it.
  private func leaseRestore(
    _ owners: [CartOwner], token: String, _ isPatient: Bool, in history: RedisHistory
  ) throws(StoreError) -> [RedisCarts.Present?] {
    let isPatient = isPatient && owners.count == 1
    let end = RedisClock.monotonic + Int64(RedisCarts.undisturbedMilliseconds)
    while true {
      let found = try carts.leaseRestore(owners, token: token, in: history)
      if !isPatient || !found.contains(where: { $0 == nil }) || RedisClock.monotonic > end { return found }
      usleep(Self.pauseMicroseconds)
    }
  }

  private static let pauseMicroseconds: UInt32 = 3_000

  private func restore(
    _ owners: [CartOwner], _ found: [RedisCarts.Present?], token: String, in history: RedisHistory
  ) throws(StoreError) -> Report {
    var report = Report()
    var wanted: [(owner: CartOwner, copy: CartHash?, usedAt: Timestamp)] = []
    var current: [CartOwner] = []
    for (owner, present) in zip(owners, found) {
      switch present {
      case nil: report.contended += 1
      case .current: current.append(owner)
      case .absent: wanted.append((owner, nil, carts.connection.now))
      case .stale(let hash, let usedAt): wanted.append((owner, hash, usedAt))
      case .corrupt: throw StoreError(.corrupt, "Redis: a cart that is to be compared")
      }
    }
    report.contended += current.count
    try carts.release(current, token: token, in: history)
    if wanted.isEmpty { return report }
    let claims = try archive.claim(
      wanted.map { entry in (entry.owner, entry.copy.map { ($0.epoch, $0.cart.version) }) },
      // One that is to be compared within this history has no number.
      strays: Set(wanted.filter { $0.copy.map { $0.history != 0 } ?? false }.map(\.owner)), in: history)
    var installations: [RedisCarts.Installation] = []
    for (owner, copy, usedAt) in wanted {
      var installation = installation(for: owner, copy: copy, claim: claims[owner], usedAt: usedAt, history, &report)
      installation.compared = copy
      installations.append(installation)
    }
    let results = try carts.install(installations, token: token, in: history)
    report.contended += results.count { $0 != .installed }
    for (installation, result) in zip(installations, results) where result == .installed {
      guard let owner = installation.hash.cart.owner, installation.usedAt != nil, let claim = claims[owner],
        claim.row.lastCommand > installation.hash.inboxNumber
      else { continue }
      report.applied += try delivery.deliver(to: owner).applied
    }
    return report
  }

  /// What goes into the place of a cart: the newer copy, or the word that there is none.
  private func installation(
    for owner: CartOwner, copy: CartHash?, claim: PostgresCarts.Claim?, usedAt: Timestamp, _ history: RedisHistory,
    _ report: inout Report
  ) -> RedisCarts.Installation {
    let now = carts.connection.now
    guard let claim else {
      report.absent += 1
      return Self.absence(of: owner)
    }
    let row = claim.row.hash
    if row.state == .merged {
      report.absent += 1
      return Self.tombstone(of: owner, copy, claim, in: history, now) ?? Self.absence(of: owner)
    }
    var hash: CartHash
    if let copy, (copy.epoch, copy.cart.version) >= (row.epoch, row.cart.version) {
      hash = copy
      // A command that found nothing to do leaves the version; a copy of before it has the same place.
      if (copy.epoch, copy.cart.version) == (row.epoch, row.cart.version) {
        hash.inboxNumber = max(copy.inboxNumber, row.inboxNumber)
      }
      report.confirmed += 1
    } else if let end = row.cart.expiresAt, end <= now {
      report.absent += 1
      return Self.absence(of: owner)
    } else {
      hash = row
      report.restored += 1
    }
    // What Redis had beyond these copies is lost, and with it the versions that it had given.
    if let skip = claim.skip { hash.cart.version = skip }
    hash.history = history.number
    hash.epoch = claim.epoch
    hash.persistedVersion = 0
    hash.databaseLineage = nil
    return RedisCarts.Installation(hash: hash, usedAt: usedAt)
  }

  /// What Redis keeps of a guest's cart that PostgreSQL knows as merged: PostgreSQL may be put back to a state before
  /// the merge, and must learn of it again. `nil` after the guest's end.
  private static func tombstone(
    of owner: CartOwner, _ copy: CartHash?, _ claim: PostgresCarts.Claim, in history: RedisHistory, _ now: Timestamp
  ) -> RedisCarts.Installation? {
    let row = claim.row.hash
    guard let end = copy?.cart.expiresAt ?? row.cart.expiresAt, end > now else { return nil }
    var hash = CartHash(cart: Cart(owner: owner))
    hash.cart.version = max(copy?.cart.version ?? 0, row.cart.version)
    hash.cart.expiresAt = end
    hash.state = .merged
    hash.history = history.number
    hash.epoch = claim.epoch
    return RedisCarts.Installation(hash: hash)
  }

  /// A user has no cart yet, or a guest's has come to its end.
  private static func absence(of owner: CartOwner) -> RedisCarts.Installation {
    RedisCarts.Installation(hash: CartHash(cart: Cart(owner: owner)), isAbsence: true)
  }

  private static func token() -> String {
    var generator = SystemRandomNumberGenerator()
    return String(generator.next(), radix: 36) + String(generator.next(), radix: 36)
  }
}

@available(*, unavailable)
extension CartRestorer: Sendable {}
