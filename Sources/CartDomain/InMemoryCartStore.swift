/// The reference model: the contract of ``CartStore`` in its plainest form. Tests compare Redis with it.
package final class InMemoryCartStore: CartStore {
  private struct Entry {
    var cart: Cart
    var ring: [RetryKey] = []
    var cookieRenewedAt: Timestamp
  }

  private var entries: [CartOwner: Entry] = [:]
  private let catalogue: any Catalogue
  private let clock: () -> Timestamp

  /// - Parameter clock: the store's clock; it may stand still.
  package init(catalogue: any Catalogue, clock: @escaping () -> Timestamp) {
    self.catalogue = catalogue
    self.clock = clock
  }

  package func cart(of owner: CartOwner) throws(StoreError) -> CartReading {
    let now = clock()
    guard var entry = live(owner, at: now) else {
      return CartReading(cart: Cart(owner: owner), isGone: owner.isGuest)
    }
    let isDue = renew(&entry, owner: owner, at: now)
    if isDue { entry.cart.expiresAt = now.adding(milliseconds: Cart.guestLifetimeMilliseconds) }
    entries[owner] = entry
    return CartReading(cart: entry.cart, isCookieDue: isDue)
  }

  package func sync(_ owner: CartOwner) throws(StoreError) -> Int64 { live(owner, at: clock())?.cart.version ?? 0 }

  package func merge(
    _ guest: GuestCartID, into user: UserID, by strategy: MergeStrategy, retryKey: RetryKey?, requestID: String
  ) throws(StoreError) -> MergeReading {
    let now = clock()
    guard let source = live(.guest(guest), at: now) else { return .nothing }
    entries[.guest(guest)] = nil
    var target = entries[.user(user)] ?? Entry(cart: Cart(owner: .user(user)), cookieRenewedAt: now)
    let skus = source.cart.lines.map(\.sku)
    let merge = CartMerge(
      of: guest, source.cart, products: try catalogue.products(for: skus), by: strategy, at: now, key: retryKey,
      source.ring)
    let reports = target.cart.report(of: merge)
    target.cart = target.cart.applying(.merge(merge)) { _, guest in guest }
    target.ring = Array((merge.ring + target.ring).prefix(RetryKey.remembered))
    entries[.user(user)] = target
    return .merged(strategy, reports)
  }

  package func precheck(
    _ owner: CartOwner, retryKey: RetryKey?, condition: VersionCondition?
  ) throws(StoreError) -> ChangeReading {
    let entry = live(owner, at: clock())
    let cart = entry?.cart ?? Cart(owner: owner)
    var outcome = ChangeReading.Outcome.unchanged
    if let key = retryKey, let former = entry?.ring.first(where: { $0.key == key.key }) {
      outcome = former == key ? .replayed : .keyReused
    } else if let condition, !condition.holds(for: cart.version) {
      outcome = .versionMismatch
    }
    return ChangeReading(outcome: outcome, reading: CartReading(cart: cart))
  }

  package func change(_ request: ChangeRequest) throws(StoreError) -> ChangeReading {
    let now = clock()
    let owner = request.owner
    let found = live(owner, at: now)
    if found == nil, owner.isGuest, !request.isNewGuest {
      return ChangeReading(outcome: .unchanged, reading: CartReading(cart: Cart(owner: owner), isGone: true))
    }
    var entry = found ?? Entry(cart: Cart(owner: owner), cookieRenewedAt: now)
    if let key = request.retryKey, let former = entry.ring.first(where: { $0.key == key.key }) {
      let outcome = former == key ? ChangeReading.Outcome.replayed : .keyReused
      return ChangeReading(outcome: outcome, reading: CartReading(cart: entry.cart))
    }
    if let condition = request.condition, !condition.holds(for: entry.cart.version) {
      return ChangeReading(outcome: .versionMismatch, reading: CartReading(cart: entry.cart))
    }
    let skus = request.change.skusToLookUp(in: entry.cart)
    let products = Dictionary(zip(skus, try catalogue.products(for: skus))) { first, _ in first }
    let transition = entry.cart.applying(request.change, at: now) { products[$0] ?? nil }
    let outcome: ChangeReading.Outcome
    switch transition {
    case .lineNotFound: return ChangeReading(outcome: .lineNotFound, reading: CartReading(cart: entry.cart))
    case .refused(let why): return ChangeReading(outcome: .refused(why), reading: CartReading(cart: entry.cart))
    case .unchanged: outcome = .unchanged
    case .changed(let cart):
      entry.cart = cart
      outcome = .changed
    }
    if outcome == .unchanged, found == nil {
      return ChangeReading(outcome: outcome, reading: CartReading(cart: entry.cart))
    }
    if let key = request.retryKey {
      entry.ring.insert(key, at: 0)
      entry.ring = Array(entry.ring.prefix(RetryKey.remembered))
    }
    if owner.isGuest { entry.cart.expiresAt = now.adding(milliseconds: Cart.guestLifetimeMilliseconds) }
    let isDue = renew(&entry, owner: owner, at: now)
    entries[owner] = entry
    return ChangeReading(outcome: outcome, reading: CartReading(cart: entry.cart, isCookieDue: isDue))
  }

  private func live(_ owner: CartOwner, at now: Timestamp) -> Entry? {
    guard let entry = entries[owner] else { return nil }
    if let end = entry.cart.expiresAt, now >= end {
      entries[owner] = nil
      return nil
    }
    return entry
  }

  private func renew(_ entry: inout Entry, owner: CartOwner, at now: Timestamp) -> Bool {
    let due = entry.cookieRenewedAt.adding(milliseconds: Cart.renewalIntervalMilliseconds)
    guard owner.isGuest, now >= due else { return false }
    entry.cookieRenewedAt = now
    return true
  }
}

extension CartChange {
  /// The SKUs whose products the change may need, given the cart.
  package func skusToLookUp(in cart: Cart) -> [SKU] {
    switch self {
    case .add(let entries): entries.map(\.sku)
    case .edit(let sku, let edit): edit.mayRaise ? [sku] : []
    case .acknowledgePrices(let filter): cart.lines.filter(filter.matches).map(\.sku)
    case .remove, .select: []
    }
  }
}

extension LineEdit {
  /// Whether the edit might raise the quantity, so that the product must be looked up.
  package var mayRaise: Bool {
    switch quantity {
    case .absolute(let absolute): absolute > 1
    case .delta(let delta): delta > 0
    case nil: false
    }
  }
}
